defmodule Linx.AgentPort.Link do
  @moduledoc false
  # The port to an agent: opened, written to, closed.

  alias Linx.AgentPort.Frame

  @doc "Starts the agent at `path`, in `cwd` unless that is `nil`. Raises an `ErlangError` with a POSIX error."
  @spec open(Path.t(), [String.t()], binary() | nil) :: port()
  def open(path, args, cwd) do
    options = [{:packet, 4}, :binary, :nouse_stdio, :exit_status, {:args, args}]
    cd = if cwd, do: [{:cd, cwd}], else: []
    Port.open({:spawn_executable, path}, options ++ cd)
  end

  @doc "The status that a shell gives to a program that could not be started for that reason."
  @spec shell_status(atom()) :: 126 | 127
  def shell_status(:enoent), do: 127
  def shell_status(_reason), do: 126

  @doc "Sends a frame; `:closed` when there is no agent behind the port any more."
  @spec command(port() | nil, tuple()) :: :ok | :closed
  def command(port, frame) do
    Port.command(port, Frame.encode(frame))
    :ok
  rescue
    ArgumentError -> :closed
  end

  @doc "Closes a port that may be closed already."
  @spec close(port()) :: true
  def close(port) do
    Port.close(port)
  rescue
    ArgumentError -> true
  end

  @doc "The agent's pid as the system knows it."
  @spec os_pid(port() | nil) :: pos_integer() | nil
  def os_pid(nil), do: nil

  def os_pid(port) do
    case Port.info(port, :os_pid) do
      {:os_pid, pid} -> pid
      nil -> nil
    end
  end
end
