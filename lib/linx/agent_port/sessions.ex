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

  # `by_id`: those that the agent serves. `ending`: those whose end is on its way to their process, which has not told its
  # owner yet and may be killed before.
  defstruct by_id: %{}, ending: %{}, by_monitor: %{}

  @type t :: %__MODULE__{
          by_id: %{Frame.id() => Entry.t()},
          ending: %{Frame.id() => Entry.t()},
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

  @doc """
  Notes what is to be said for a session that is killed, and to whom. Ids may be known from an agent port that has crashed
  since, so the session's process has to fit.
  """
  @spec last_words(t(), Frame.id(), pid(), Linx.AgentPort.last_words() | nil) :: t()
  def last_words(sessions, id, pid, words) do
    update(sessions, id, fn entry ->
      if entry.pid == pid, do: %{entry | last_words: words}, else: entry
    end)
  end

  @doc "Notes that a session has told its end itself; one that ended before it knew its id is known by its process."
  @spec told(t(), Frame.id() | nil, pid()) :: t()
  def told(sessions, nil, pid) do
    all = Map.merge(sessions.by_id, sessions.ending)
    found = Enum.find(all, fn {_id, entry} -> entry.pid == pid end)
    if found, do: told(sessions, elem(found, 0), pid), else: sessions
  end

  def told(sessions, id, pid) do
    case sessions.ending do
      %{^id => %{pid: ^pid}} -> forget(sessions, id)
      _served_or_gone -> last_words(sessions, id, pid, nil)
    end
  end

  defp update(sessions, id, change) do
    case sessions do
      %{by_id: %{^id => entry} = by_id} ->
        %{sessions | by_id: %{by_id | id => change.(entry)}}

      %{ending: %{^id => entry} = ending} ->
        %{sessions | ending: %{ending | id => change.(entry)}}

      _unknown ->
        sessions
    end
  end

  @doc "The process behind an id, `nil` when the agent has told its end."
  @spec pid(t(), Frame.id()) :: pid() | nil
  def pid(sessions, id) do
    case sessions.by_id do
      %{^id => entry} -> entry.pid
      _ -> nil
    end
  end

  @doc "Notes that the agent has told the end of a session."
  @spec ended(t(), Frame.id()) :: t()
  def ended(sessions, id) do
    case Map.pop(sessions.by_id, id) do
      {nil, _by_id} -> sessions
      {%{last_words: nil}, _by_id} -> forget(sessions, id)
      {entry, by_id} -> %{sessions | by_id: by_id, ending: Map.put(sessions.ending, id, entry)}
    end
  end

  defp forget(sessions, id) do
    %{monitor: monitor} = sessions.by_id[id] || sessions.ending[id]
    Process.demonitor(monitor, [:flush])

    %{
      sessions
      | by_id: Map.delete(sessions.by_id, id),
        ending: Map.delete(sessions.ending, id),
        by_monitor: Map.delete(sessions.by_monitor, monitor)
    }
  end

  @doc "Forgets the session whose process went down, and tells its id and what was known of it."
  @spec down(t(), reference()) :: {{Frame.id(), Entry.t()} | nil, t()}
  def down(sessions, monitor) do
    case sessions.by_monitor do
      %{^monitor => id} ->
        {{id, sessions.by_id[id] || sessions.ending[id]}, forget(sessions, id)}

      _ ->
        {nil, sessions}
    end
  end

  @doc "What is known of all of them."
  @spec entries(t()) :: [Entry.t()]
  def entries(sessions), do: Map.values(sessions.by_id) ++ Map.values(sessions.ending)

  @doc """
  Notes that all have lost their agent: their processes, which have to be told, and `{host_pid, grace}` of the children to
  be killed.
  """
  @spec clear(t()) :: {[pid()], [{pos_integer(), non_neg_integer()}], t()}
  def clear(sessions) do
    entries = Map.values(sessions.by_id)
    leftovers = for %{host_pid: pid, grace: ms} <- entries, pid != nil, ms != nil, do: {pid, ms}
    ending = sessions.by_id |> Map.keys() |> Enum.reduce(sessions, &ended(&2, &1))
    {for(entry <- entries, do: entry.pid), leftovers, ending}
  end

  @doc "How many the agent serves."
  @spec count(t()) :: non_neg_integer()
  def count(sessions), do: map_size(sessions.by_id)
end
