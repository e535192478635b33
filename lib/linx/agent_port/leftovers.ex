defmodule Linx.AgentPort.Leftovers do
  @moduledoc false
  # Workloads that have lost their agent. The next agent is told to end what is left of them; since that one may be lost
  # too before their grace is over, they are kept in mind for as long.

  # What an agent may take to act when a grace is over.
  @margin 1_000
  # So many agents may be lost over the same leftover: one that they die of would be started again for ever.
  @agents 5
  # The longest span of time that a frame can tell.
  @longest 0xFFFF_FFFF

  defstruct [:pid, :grace, :lost_at, :due, agents: @agents]

  # `due` is when it has had its grace, once an agent was told of it. Times are those of `System.monotonic_time/1`, in
  # milliseconds.
  @type t :: %__MODULE__{
          pid: pos_integer(),
          grace: non_neg_integer(),
          lost_at: integer(),
          due: integer() | nil,
          agents: pos_integer()
        }

  @doc "Children whose agent has just been lost, given as `{host_pid, grace}`."
  @spec new([{pos_integer(), non_neg_integer()}]) :: [t()]
  def new(children),
    do: for({pid, grace} <- children, do: %__MODULE__{pid: pid, grace: grace, lost_at: now()})

  @doc "Those that an agent that has just opened has to see to, and the frames that tell it so."
  @spec hand_over([t()]) :: {[tuple()], [t()]}
  def hand_over(leftovers) do
    now = now()

    known =
      for left <- leftovers, still?(left, now), do: %{left | due: left.due || now + left.grace}

    frames =
      for left <- known,
          do: {:kill_leftover, left.pid, max(left.due - now, 0), now - left.lost_at}

    {frames, known}
  end

  @doc "Those that another agent is to see to after one was lost, and the pids of those that are given up."
  @spec agent_lost([t()]) :: {[t()], given_up :: [pos_integer()]}
  def agent_lost(leftovers) do
    now = now()
    left = for left <- leftovers, still?(left, now), do: %{left | agents: left.agents - 1}
    {again, given_up} = Enum.split_with(left, &(&1.agents > 0))
    {again, Enum.map(given_up, & &1.pid)}
  end

  defp still?(%{due: nil, lost_at: lost_at}, now), do: now - lost_at <= @longest
  defp still?(%{due: due}, now), do: now <= due + @margin

  defp now, do: System.monotonic_time(:millisecond)
end
