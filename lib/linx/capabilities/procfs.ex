defmodule Linx.Capabilities.Procfs do
  @moduledoc false
  # Where procfs is mounted, and the paths in it.

  @root {__MODULE__, :root}

  @type target :: :self | pos_integer() | {pid :: pos_integer(), tid :: pos_integer()}

  defguard is_id(id) when is_integer(id) and id > 0

  @spec root() :: Path.t()
  def root, do: :persistent_term.get(@root, "/proc")

  # Returns what it was. The empty path changes nothing.
  @spec root(Path.t()) :: Path.t()
  def root(path) when is_binary(path) do
    previous = root()
    if path not in ["", previous], do: :persistent_term.put(@root, path)
    previous
  end

  @spec status(target()) :: Path.t()
  def status(:self), do: root() <> "/self/status"
  def status({pid, tid}) when is_id(pid) and is_id(tid), do: "#{root()}/#{pid}/task/#{tid}/status"
  def status(pid) when is_id(pid), do: "#{root()}/#{pid}/status"

  @spec tasks(:self | pos_integer()) :: Path.t()
  def tasks(:self), do: root() <> "/self/task"
  def tasks(pid) when is_id(pid), do: "#{root()}/#{pid}/task"

  # The root directory of a process, as it sees it.
  @spec process_root(pos_integer()) :: Path.t()
  def process_root(pid) when is_id(pid), do: "#{root()}/#{pid}/root"

  # The mapping of a process's user ids to those of whoever reads it.
  @spec uid_map(:self | pos_integer()) :: Path.t()
  def uid_map(pid), do: "#{root()}/#{pid}/uid_map"
end
