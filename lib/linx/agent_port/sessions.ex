defmodule Linx.AgentPort.Sessions do
  @moduledoc false
  # The sessions of one agent: who stands behind an id, and what would be left of it without the agent.

  alias Linx.AgentPort.Frame

  defmodule Entry do
    @moduledoc false
    defstruct [:pid, :monitor, :grace, :last_words, :host_pid]

    @type t :: %__MODULE__{
            pid: pid(),
            monitor: reference(),
            grace: non_neg_integer() | nil,
            last_words: Linx.AgentPort.last_words() | nil,
            host_pid: pos_integer() | nil
          }
  end

  defstruct by_id: %{}, by_monitor: %{}

  @type t :: %__MODULE__{
          by_id: %{Frame.id() => Entry.t()},
          by_monitor: %{reference() => Frame.id()}
        }

  @doc "Takes in a session under `id`; `grace` is `nil` for one whose workload may outlive everybody."
  @spec add(t(), Frame.id(), pid(), non_neg_integer() | nil, Linx.AgentPort.last_words() | nil) ::
          t()
  def add(sessions, id, pid, grace, last_words \\ nil) do
    monitor = Process.monitor(pid)
    entry = %Entry{pid: pid, monitor: monitor, grace: grace, last_words: last_words}

    %{
      sessions
      | by_id: Map.put(sessions.by_id, id, entry),
        by_monitor: Map.put(sessions.by_monitor, entry.monitor, id)
    }
  end

  @doc "Notes the pid of a session's child, as the host sees it."
  @spec ready(t(), Frame.id(), pos_integer()) :: t()
  def ready(sessions, id, host_pid), do: update(sessions, id, &%{&1 | host_pid: host_pid})

  @doc "Notes what is to be said for a session that is killed, and to whom."
  @spec last_words(t(), Frame.id(), Linx.AgentPort.last_words()) :: t()
  def last_words(sessions, id, words), do: update(sessions, id, &%{&1 | last_words: words})

  defp update(sessions, id, change) do
    case sessions.by_id do
      %{^id => entry} -> %{sessions | by_id: %{sessions.by_id | id => change.(entry)}}
      _ -> sessions
    end
  end

  @doc "The process behind an id, `nil` when it is gone."
  @spec pid(t(), Frame.id()) :: pid() | nil
  def pid(sessions, id) do
    case sessions.by_id do
      %{^id => entry} -> entry.pid
      _ -> nil
    end
  end

  @doc "Forgets a session that has ended."
  @spec ended(t(), Frame.id()) :: t()
  def ended(sessions, id) do
    case Map.pop(sessions.by_id, id) do
      {nil, _by_id} ->
        sessions

      {entry, by_id} ->
        Process.demonitor(entry.monitor, [:flush])
        by_monitor = Map.delete(sessions.by_monitor, entry.monitor)
        %{sessions | by_id: by_id, by_monitor: by_monitor}
    end
  end

  @doc "Forgets the session whose process went down, and tells its id and what was known of it."
  @spec down(t(), reference()) :: {{Frame.id(), Entry.t()} | nil, t()}
  def down(sessions, monitor) do
    case sessions.by_monitor do
      %{^monitor => id} -> {{id, Map.fetch!(sessions.by_id, id)}, ended(sessions, id)}
      _ -> {nil, sessions}
    end
  end

  @doc "What is known of all of them."
  @spec entries(t()) :: [Entry.t()]
  def entries(sessions), do: Map.values(sessions.by_id)

  @doc "All sessions forgotten: their processes, and `{host_pid, grace}` of the children to be killed."
  @spec clear(t()) :: {[pid()], [{pos_integer(), non_neg_integer()}], t()}
  def clear(sessions) do
    entries = entries(sessions)
    for entry <- entries, do: Process.demonitor(entry.monitor, [:flush])
    leftovers = for %{host_pid: pid, grace: ms} <- entries, pid != nil, ms != nil, do: {pid, ms}
    {for(entry <- entries, do: entry.pid), leftovers, %__MODULE__{}}
  end

  @doc "How many there are."
  @spec count(t()) :: non_neg_integer()
  def count(sessions), do: map_size(sessions.by_id)
end
