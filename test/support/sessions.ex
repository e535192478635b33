defmodule Linx.TestSessions do
  @moduledoc false
  # Sessions as the tests use them: spawned, parked, let go, each step waited for.

  import ExUnit.Assertions

  alias Linx.Capabilities

  @patience 10_000

  # A session parked at its checkpoint, and its pid.
  def park(opts) do
    {:ok, session} = Linx.Process.spawn(opts)
    assert_receive {:linx_process, :ready, host_pid}, @patience
    {session, host_pid}
  end

  def run(session) do
    :ok = Linx.Process.proceed(session)
    assert_receive {:linx_process, :running}, @patience
  end

  # The terminal event of the calling owner's only session.
  def refusal do
    assert_receive {:linx_process, :error, errno, stage}, @patience
    refute_received {:linx_process, :running}
    {errno, stage}
  end

  # The five sets of a process as sorted lists, in the order of capset's arguments, then bounding and ambient.
  def sets(pid) do
    {:ok, state} = Capabilities.read(pid)

    [state.effective, state.permitted, state.inheritable, state.bounding, state.ambient]
    |> Enum.map(&Enum.sort/1)
  end

  # What this machine allows at all: even root may lack some.
  def bounding do
    {:ok, state} = Capabilities.read(:self)
    state.bounding
  end

  def all_but(keep) do
    MapSet.difference(Capabilities.Constants.all(), MapSet.new(keep))
  end
end
