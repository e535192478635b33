defmodule Linx.AgentPort.Unsettled do
  @moduledoc false
  # Which parked children have verbs on their way that may not be applied yet. A table, so that
  # whoever reads a process's state pays one lookup, and a message only when there is something to wait for.

  @table __MODULE__

  @doc "Makes the table; it lives as long as the calling process."
  @spec create() :: :ok
  def create do
    :ets.new(@table, [:named_table, :public, read_concurrency: true])
    :ok
  end

  @doc "Notes that `session` has sent a verb to the child `host_pid`."
  @spec mark(pos_integer(), pid()) :: :ok
  def mark(host_pid, session) do
    write(fn -> :ets.insert(@table, {host_pid, session}) end)
  end

  @doc "Forgets what `mark/2` noted."
  @spec clear(pos_integer() | nil, pid()) :: :ok
  def clear(host_pid, session) do
    write(fn -> :ets.delete_object(@table, {host_pid, session}) end)
  end

  @doc "The session whose verbs to `host_pid` may be on their way."
  @spec session(pos_integer()) :: {:ok, pid()} | :error
  def session(host_pid) do
    case :ets.lookup(@table, host_pid) do
      [{_host_pid, session}] -> {:ok, session}
      [] -> :error
    end
  rescue
    ArgumentError -> :error
  end

  # There is no table while the agent port's owner is away, and then nothing of its sessions to note.
  defp write(fun) do
    fun.()
    :ok
  rescue
    ArgumentError -> :ok
  end
end
