defmodule Linx.ProcessAgentTest do
  use ExUnit.Case

  import Linx.TestSessions, only: [park: 1, run: 1]
  import Linx.TestWorkloads

  alias Linx.Process.{Error, Info}

  @moduletag :capture_log

  describe "kill -9 of the agent" do
    test "tells every owner, whatever the stage, and the next spawn works" do
      {parked, parked_pid} = park(argv: ["sleep", "300"])
      {running, running_pid} = launch(argv: ["sleep", "300"])
      {done, _pid} = launch(argv: ["true"])
      assert {:ok, {:exited, 0}} = Linx.Process.wait(done)
      kill_agent()
      assert_receive {:linx_process, :error, 137, :agent_died}, 5_000
      assert_receive {:linx_process, :error, 137, :agent_died}, 5_000
      refute_received {:linx_process, :error, _, _}
      eventually(fn -> not alive?(parked_pid) and not alive?(running_pid) end)

      for session <- [parked, running] do
        assert {:error, %Error{stage: :agent_died, errno: :unknown, code: 137}} =
                 Linx.Process.wait(session)

        assert {:ok, %Info{stage: :errored} = info} = Linx.Process.info(session)
        assert inspect(info) =~ ":errored(agent_died/137)"
        assert {:error, :no_process} = Linx.Process.signal(session, 9)
      end

      assert {:ok, {:exited, 0}} = Linx.Process.wait(done)
      {next, _pid} = launch(argv: ["true"])
      assert {:ok, {:exited, 0}} = Linx.Process.wait(next)
    end

    test "leaves no workload that is to be killed, ignoring SIGTERM or not" do
      opts = [argv: [fixture("stubborn.sh")], stdio: :pipe, orphan_policy: {:kill, 200}]
      {_session, pid} = launch(opts)
      read_until(:stdout, "up")
      kill_agent()
      eventually(fn -> not alive?(pid) end)
    end

    test "again before the grace is over leaves nothing of a workload's session either" do
      opts = [argv: [fixture("stubborn.sh")], stdio: :pipe, orphan_policy: {:kill, 1_000}]
      {_session, pid} = launch(opts)
      read_until(:stdout, "up")
      assert [_, _ | _] = members_of(pid)

      for _ <- 1..3 do
        kill_agent()
        eventually(fn -> agent_pid() != nil end)
        assert members_of(pid) != []
      end

      eventually(fn -> members_of(pid) == [] end)
    end

    test "of its own session's leaves nothing of a workload's session" do
      opts = [argv: [fixture("stubborn.sh")], stdio: :pipe, orphan_policy: {:kill, 200}]
      {_session, pid} = launch([agent: :dedicated] ++ opts)
      read_until(:stdout, "up")
      System.cmd("kill", ["-KILL", "#{agent_of(pid)}"])
      eventually(fn -> members_of(pid) == [] end)
    end

    test "fifty times in a row is no trouble for anybody" do
      for _ <- 1..50 do
        {session, _pid} = launch(argv: ["sleep", "300"], stdio: :devnull)
        kill_agent()
        assert {:error, %Error{stage: :agent_died}} = Linx.Process.wait(session)
        assert_receive {:linx_process, :error, 137, :agent_died}
      end

      assert is_pid(Process.whereis(Linx.AgentPort))
    end

    test "is not an end for callers to trip over" do
      {session, _pid} = launch(argv: ["cat"], stdio: :pipe)
      agent = shared_agent()
      :sys.suspend(Linx.AgentPort)
      on_exit(fn -> :sys.resume(Linx.AgentPort) end)
      System.cmd("kill", ["-KILL", "#{agent}"])

      for _ <- 1..100 do
        assert Linx.Process.write(session, "x") == :ok
        assert Linx.Process.signal(session, 1) in [:ok, {:error, :no_process}]
      end

      :sys.resume(Linx.AgentPort)
      assert {:error, %Error{stage: :agent_died}} = Linx.Process.wait(session)
      assert {:ok, {:exited, 0}} = Linx.Process.wait(elem(launch(argv: ["true"]), 0))
    end
  end

  test "the port's owner may crash: sessions are told, and the next spawn works" do
    {session, pid} = launch(argv: ["sleep", "300"])
    owner = Process.whereis(Linx.AgentPort)
    Process.exit(owner, :kill)
    assert {:error, %Error{stage: :agent_died, code: 255}} = Linx.Process.wait(session)
    eventually(fn -> not alive?(pid) end)
    eventually(fn -> Process.whereis(Linx.AgentPort) not in [nil, owner] end)
    # It has its name before it has cleared up after its predecessor.
    assert %{} = Linx.AgentPort.status()
    {next, _pid} = launch(argv: ["true"])
    assert {:ok, {:exited, 0}} = Linx.Process.wait(next)
  end

  describe "agent: :dedicated" do
    test "is an agent of its own, which goes with the workload" do
      {session, pid} = park(argv: ["true"], agent: :dedicated)
      agent = agent_of(pid)
      assert agent != agent_pid()
      run(session)
      assert {:ok, {:exited, 0}} = Linx.Process.wait(session)
      eventually(fn -> not alive?(agent) end)
      assert {:ok, %Info{stage: :exited}} = Linx.Process.info(session)
    end

    test "takes nobody along when it dies" do
      {shared, _pid} = launch(argv: ["sleep", "300"])
      {dedicated, pid} = launch(argv: ["sleep", "300"], agent: :dedicated)
      System.cmd("kill", ["-KILL", "#{agent_of(pid)}"])
      assert {:error, %Error{stage: :agent_died, code: 137}} = Linx.Process.wait(dedicated)
      assert {:ok, %Info{stage: :running}} = Linx.Process.info(shared)
      eventually(fn -> not alive?(pid) end)
    end

    test "does not die with the shared one" do
      {session, _pid} = launch(argv: ["sleep", "300"], agent: :dedicated)
      {_shared, _pid} = launch(argv: ["sleep", "300"])
      kill_agent()
      assert {:ok, %Info{stage: :running}} = Linx.Process.info(session)
      Linx.Process.signal(session, 9)
      assert {:ok, {:signaled, 9}} = Linx.Process.wait(session)
    end

    test "goes with its session, stopped or killed" do
      Process.flag(:trap_exit, true)

      for ending <- [&:gen_statem.stop/1, &Process.exit(&1, :kill)] do
        {session, pid} = launch(argv: ["sleep", "300"], agent: :dedicated)
        agent = agent_of(pid)
        ending.(session)
        eventually(fn -> not alive?(pid) and not alive?(agent) end)
      end
    end

    test "verbs can be seen at once, as with the shared one" do
      {session, pid} = park(argv: ["true"], agent: :dedicated)
      :ok = Linx.Process.Session.verb(session, {:set_thread_sets, 0, 0, 0})
      {:ok, state} = Linx.Capabilities.read(pid)
      assert MapSet.size(state.permitted) == 0
    end
  end

  # Returns when the port's owner has noticed.
  defp kill_agent do
    agent = shared_agent()
    System.cmd("kill", ["-KILL", "#{agent}"])
    eventually(fn -> agent_pid() != agent end)
  end

  defp shared_agent do
    eventually(fn -> agent_pid() != nil end)
    agent_pid()
  end

  # The agent is its workloads' parent.
  defp agent_of(pid) do
    [_, parent] = Regex.run(~r/^PPid:\t(\d+)$/m, File.read!("/proc/#{pid}/status"))
    String.to_integer(parent)
  end
end
