defmodule Linx.ProcessEndTest do
  use ExUnit.Case

  import Linx.TestSessions, only: [park: 1]
  import Linx.TestWorkloads

  alias Linx.Process.Error

  @moduletag :capture_log

  describe "linger: false" do
    setup do
      Process.flag(:trap_exit, true)
      :ok
    end

    test "ends the session with what became of the workload" do
      for {argv, reason} <- [
            {["true"], :normal},
            {["sh", "-c", "exit 3"], {:exited, 3}},
            {["sh", "-c", "kill -9 $$"], {:signaled, 9}},
            {["/none"], {:error, %Error{stage: :execve, errno: :enoent, code: 2}}}
          ] do
        {:ok, session} = Linx.Process.spawn(argv: argv, linger: false, auto_proceed: true)
        assert_receive {:EXIT, ^session, ^reason}, 5_000
        assert {:error, :no_process} = Linx.Process.info(session)
      end
    end

    test "of an aborted one is a shutdown" do
      {:ok, session} = Linx.Process.spawn(argv: ["true"], linger: false)
      Linx.Process.abort(session)
      assert_receive {:EXIT, ^session, {:shutdown, :aborted}}, 5_000
    end

    test "answers those who wait, and sends the event, before" do
      {session, _pid} = launch(argv: ["sh", "-c", "read x; exit 2"], stdio: :pipe, linger: false)
      waiter = Task.async(fn -> Linx.Process.wait(session) end)
      Linx.Process.close_stdin(session)
      assert {:ok, {:exited, 2}} = Task.await(waiter)
      assert_received {:linx_process, :exited, 2}
    end
  end

  describe "the end of a session reaps the workload:" do
    test "it is stopped" do
      {session, pid} = launch(argv: ["sleep", "300"])
      assert :ok = :gen_statem.stop(session)
      refute alive?(pid)
      assert_received {:linx_process, :signaled, 15}
    end

    test "it is stopped while the child is parked" do
      {session, pid} = park(argv: ["sleep", "300"])
      assert :ok = :gen_statem.stop(session)
      refute alive?(pid)
      assert_received {:linx_process, :aborted}
    end

    test "it is stopped while the child is being set up" do
      {:ok, session} = Linx.Process.spawn(argv: ["sleep", "300"])
      assert :ok = :gen_statem.stop(session)
      all_quiet()
    end

    test "its workload ignores SIGTERM, and so do its children" do
      opts = [argv: [fixture("stubborn.sh")], stdio: :pipe, orphan_policy: {:kill, 200}]
      {session, pid} = launch(opts)
      read_until(:stdout, "up")
      [child] = children(pid)
      assert :ok = :gen_statem.stop(session)
      eventually(fn -> not alive?(pid) and not alive?(child) end)
      assert_received {:linx_process, :signaled, 9}
    end

    test "its owner reads no output" do
      owner = spawn_link(fn -> Process.sleep(:infinity) end)
      opts = [argv: ["yes"], stdio: :pipe, owner: owner, auto_proceed: true]
      {:ok, session} = Linx.Process.spawn(opts)
      {:ok, pid} = Linx.Process.host_pid(session)
      eventually(fn -> Process.info(owner, :message_queue_len) >= {:message_queue_len, 5} end)
      assert :ok = :gen_statem.stop(session)
      refute alive?(pid)
      {:messages, messages} = Process.info(owner, :messages)
      assert match?({:linx_process, :signaled, 15}, List.last(messages))
    end

    test "its caller crashes, and the reason is passed on" do
      test = self()

      caller =
        spawn(fn ->
          opts = [argv: ["sleep", "300"], owner: test, auto_proceed: true]
          {:ok, session} = Linx.Process.spawn(opts)
          send(test, {:session, session})
          Process.sleep(:infinity)
        end)

      assert_receive {:session, session}
      assert_receive {:linx_process, :running}, 5_000
      {:ok, pid} = Linx.Process.host_pid(session)
      monitor = Process.monitor(session)
      Process.exit(caller, :crash)
      assert_receive {:DOWN, ^monitor, :process, _, :crash}, 5_000
      refute alive?(pid)
      assert_received {:linx_process, :signaled, 15}
    end

    test "another process that it is linked to crashes" do
      Process.flag(:trap_exit, true)
      {session, pid} = launch(argv: ["sleep", "300"])
      other = spawn(fn -> Process.link(session) && Process.exit(self(), :boom) end)
      assert is_pid(other)
      assert_receive {:EXIT, ^session, :boom}, 5_000
      refute alive?(pid)
    end
  end

  describe "orphan_policy:" do
    setup do
      Process.flag(:trap_exit, true)
      :ok
    end

    test "kills what a killed session leaves behind, after the grace" do
      opts = [argv: [fixture("stubborn.sh")], stdio: :pipe, orphan_policy: {:kill, 200}]
      {session, pid} = launch(opts)
      read_until(:stdout, "up")
      [child] = children(pid)
      Process.exit(session, :kill)
      eventually(fn -> not alive?(pid) and not alive?(child) end)
    end

    test ":linger leaves it alone" do
      {session, pid} = launch(argv: ["sleep", "300"], stdio: :devnull, orphan_policy: :linger)
      Process.exit(session, :kill)
      all_quiet()
      # The agent has handled the orphan when it has handled what came after.
      assert {:ok, {:exited, 0}} = Linx.Process.wait(elem(launch(argv: ["true"]), 0))
      assert alive?(pid)
      System.cmd("kill", ["-KILL", "#{pid}"])
    end

    test ":linger or not, a goodbye reaps" do
      {session, pid} = launch(argv: ["sleep", "300"], stdio: :devnull, orphan_policy: :linger)
      :gen_statem.stop(session)
      refute alive?(pid)
    end

    test "of a parked child: discarded in any case" do
      {session, pid} = park(argv: ["sleep", "300"], orphan_policy: :linger)
      Process.exit(session, :kill)
      eventually(fn -> not alive?(pid) end)
    end
  end

  describe "kill -9 of the VM" do
    test "leaves no workload" do
      %{port: port, pids: [plain, stubborn, parked]} = second_vm("300")
      kill_vm(port)
      eventually(fn -> not Enum.any?([plain, stubborn, parked], &alive?/1) end)
    end

    test "leaves the workloads that shall linger" do
      %{port: port, pids: [plain, stubborn, parked]} = second_vm("linger")
      kill_vm(port)
      eventually(fn -> not alive?(parked) end)
      assert alive?(plain) and alive?(stubborn)
      left = [plain, stubborn | children(stubborn)]
      for pid <- left, do: System.cmd("kill", ["-KILL", "#{pid}"])
      eventually(fn -> not Enum.any?(left, &alive?/1) end)
    end

    defp second_vm(policy) do
      paths = for path <- :code.get_path(), arg <- ["-pa", to_string(path)], do: arg
      args = paths ++ [fixture("second_vm.exs"), policy, fixture("stubborn.sh")]
      elixir = System.find_executable("elixir")
      port = Port.open({:spawn_executable, elixir}, [:binary, {:line, 1000}, args: args])
      %{port: port, pids: for(_ <- 1..3, do: port |> line() |> String.to_integer())}
    end

    defp line(port) do
      assert_receive {^port, {:data, {:eol, line}}}, 20_000
      line
    end

    defp kill_vm(port) do
      assert line(port) == "up"
      {:os_pid, pid} = Port.info(port, :os_pid)
      System.cmd("kill", ["-KILL", "#{pid}"])
    end
  end

  describe "under a supervisor" do
    test "child_spec/1 has its own keys and passes the rest on" do
      assert Linx.Process.child_spec(argv: ["true"]) == %{
               id: Linx.Process,
               restart: :permanent,
               shutdown: 5000,
               type: :worker,
               start: {Linx.Process, :spawn, [[linger: false, argv: ["true"]]]}
             }

      opts = [argv: ["true"], id: 1, restart: :temporary, shutdown: :infinity, linger: true]

      assert %{id: 1, restart: :temporary, shutdown: :infinity, start: start} =
               Linx.Process.child_spec(opts)

      assert start == {Linx.Process, :spawn, [[argv: ["true"], linger: true]]}
    end

    test "a workload that fails is started again, one that is done is not" do
      opts = [argv: ["sleep", "300"], auto_proceed: true, owner: self(), restart: :transient]
      {:ok, supervisor} = Supervisor.start_link([{Linx.Process, opts}], strategy: :one_for_one)
      assert_receive {:linx_process, :ready, first}, 5_000
      System.cmd("kill", ["-KILL", "#{first}"])
      assert_receive {:linx_process, :signaled, 9}, 5_000
      assert_receive {:linx_process, :ready, second}, 5_000
      assert first != second and alive?(second)
      assert_receive {:linx_process, :running}, 5_000
      :ok = Supervisor.stop(supervisor)
      refute alive?(second)
      assert_received {:linx_process, :signaled, 15}
    end

    test "bad options are the supervisor's error" do
      Process.flag(:trap_exit, true)
      children = [{Linx.Process, argv: []}]

      assert {:error, {:shutdown, reason}} =
               Supervisor.start_link(children, strategy: :one_for_one)

      assert {:failed_to_start_child, Linx.Process, {:bad_argv, []}} = reason
    end

    test "a dynamic one ends its children" do
      {:ok, supervisor} = DynamicSupervisor.start_link(strategy: :one_for_one)

      pids =
        for n <- 1..3 do
          opts = [argv: ["sleep", "300"], auto_proceed: true, owner: self(), tag: n]
          {:ok, session} = DynamicSupervisor.start_child(supervisor, {Linx.Process, opts})
          {:ok, pid} = Linx.Process.host_pid(session)
          pid
        end

      :ok = DynamicSupervisor.stop(supervisor)
      refute Enum.any?(pids, &alive?/1)
    end
  end
end
