defmodule Linx.FaultsTest do
  # Something dies, or stops, at every step of a launch.
  use ExUnit.Case

  import Linx.TestWorkloads
  import Linx.TestFaults

  alias Linx.Process.Error
  alias Linx.Process.Session

  @moduletag :capture_log
  @moduletag :tmp_dir
  # Other processes' descriptors are not for everybody to count.
  @moduletag :root

  setup %{tmp_dir: dir} do
    Process.flag(:trap_exit, true)
    fifo = Path.join(dir, "fifo")
    {_, 0} = System.cmd("mkfifo", [fifo])
    %{standing: standing(), fifo: fifo}
  end

  # The steps of a launch. Each leaves a session there and returns it, with the pid of its child where that is known.
  @steps [:asked, :setting_up, :parked, :verbs, :proceeding, :exec, :running, :writing, :stopping]

  defp reach(:asked, _fifo), do: {start(argv: ["sleep", "300"]), nil}

  # Opening a fifo takes until somebody writes to it.
  defp reach(:setting_up, fifo) do
    session = start(argv: ["sleep", "300"], stdio: [stdin: {:file, fifo}])
    eventually(fn -> match?([_child], children(agent_pid())) end)
    [child] = children(agent_pid())
    {session, child}
  end

  defp reach(:parked, _fifo), do: parked(argv: ["sleep", "300"])

  defp reach(:verbs, _fifo) do
    {session, pid} = parked(argv: ["sleep", "300"])
    for bit <- 1..20, do: :ok = Session.verb(session, {:drop_bounding, Bitwise.bsl(1, bit)})
    {session, pid}
  end

  defp reach(:proceeding, fifo) do
    {session, pid} = reach(:verbs, fifo)
    :ok = Linx.Process.proceed(session)
    {session, pid}
  end

  defp reach(:exec, _fifo) do
    session = start(argv: ["sleep", "300"], auto_proceed: true)
    {:ok, pid} = Linx.Process.host_pid(session)
    {session, pid}
  end

  defp reach(:running, _fifo) do
    {session, pid} = reach(:exec, nil)
    assert_receive {:linx_process, :fault, :running}, 10_000
    send(self(), {:linx_process, :fault, :running})
    {session, pid}
  end

  defp reach(:writing, _fifo) do
    session = start(argv: ["cat"], stdio: :pipe, auto_proceed: true)
    {:ok, pid} = Linx.Process.host_pid(session)
    for _ <- 1..10, do: Linx.Process.write(session, :binary.copy("x", 20_000))
    {session, pid}
  end

  defp reach(:stopping, _fifo) do
    {session, pid} = reach(:running, nil)
    :ok = Linx.Process.signal(session, 1)
    {session, pid}
  end

  defp start(opts) do
    opts = Keyword.merge([tag: :fault, stdio: :devnull, orphan_policy: {:kill, 100}], opts)
    {:ok, session} = Linx.Process.spawn(opts)
    session
  end

  defp parked(opts) do
    session = start(opts)
    {:ok, pid} = Linx.Process.host_pid(session)
    {session, pid}
  end

  defp dismiss(session) do
    :gen_statem.stop(session)
    assert_receive {:EXIT, ^session, :normal}
  end

  # A workload that was on its way out may have been quicker.
  defp assert_lost(step, session) do
    case Linx.Process.wait(session) do
      {:error, error} ->
        assert %Error{stage: :agent_died} = error
        assert List.last(events(:fault)) == {:error, error.code, :agent_died}

      {:ok, ended} ->
        assert {step, ended} == {:stopping, {:signaled, 1}}
        assert List.last(events(:fault)) == ended
    end
  end

  describe "the child is killed" do
    test "at any step: that is its end, told once", context do
      for step <- @steps -- [:asked] do
        {session, pid} = reach(step, context.fifo)
        kill(pid)
        expected = if step == :stopping, do: [{:signaled, 1}, {:signaled, 9}], else: [signaled: 9]
        assert {:ok, ended} = Linx.Process.wait(session)
        assert ended in expected
        events = events(:fault)
        assert List.last(events) == ended
        if step in [:setting_up, :parked, :verbs], do: refute({:running} in events)
        dismiss(session)
      end

      nothing_left(context.standing)
    end

    test "while it is let go, 200 times", context do
      for _ <- 1..200 do
        {session, pid} = parked(argv: ["sleep", "300"])
        killer = Task.async(fn -> kill(pid) end)
        if :rand.uniform(2) == 1, do: Process.sleep(:rand.uniform(3) - 1)
        assert Linx.Process.proceed(session) in [:ok, {:error, :no_process}]
        assert {:ok, {:signaled, 9}} = Linx.Process.wait(session)
        assert [{:ready, ^pid} | rest] = events(:fault)
        assert rest in [[{:signaled, 9}], [{:running}, {:signaled, 9}]]
        Task.await(killer)
        dismiss(session)
      end

      nothing_left(context.standing)
    end
  end

  describe "the agent is stopped" do
    test "and continued at any step: the launch goes on as if nothing had been", context do
      for step <- @steps -- [:asked, :setting_up, :writing] do
        {session, _pid} = reach(step, context.fifo)
        agent = stop_agent()

        asked =
          Task.async(fn -> {Linx.Process.proceed(session), Linx.Process.signal(session, 15)} end)

        kill(agent, "CONT")
        assert {_answer, signaled} = Task.await(asked)
        assert signaled in [:ok, {:error, :no_process}]
        assert {:ok, {:signaled, number}} = Linx.Process.wait(session)
        assert number == if(step == :stopping, do: 1, else: 15)
        assert [{:ready, _}, {:running}, {:signaled, ^number}] = events(:fault)
        dismiss(session)
      end

      nothing_left(context.standing)
    end

    test "and killed at any step: everybody is told", context do
      for step <- @steps -- [:setting_up] do
        {session, pid} = reach(step, context.fifo)
        stop_agent()
        kill_agent()
        assert_lost(step, session)
        eventually(fn -> pid == nil or not alive?(pid) end)
        dismiss(session)
      end

      nothing_left(context.standing)
    end

    test "while a session is: it ends in its time, and tells its owner", context do
      for step <- [:parked, :running] do
        {session, pid} = reach(step, context.fifo)
        agent = stop_agent()
        dismiss(session)
        assert {:error, 110, :protocol} = List.last(events(:fault))
        kill(agent, "CONT")
        eventually(fn -> not alive?(pid) end)
      end

      nothing_left(context.standing)
    end
  end

  test "the agent is killed at any step", context do
    for step <- @steps do
      {session, pid} = reach(step, context.fifo)
      kill_agent()
      assert_lost(step, session)
      eventually(fn -> pid == nil or not alive?(pid) end)
      dismiss(session)
    end

    nothing_left(context.standing)
  end

  test "the session is killed at any step", context do
    for step <- @steps do
      {session, pid} = reach(step, context.fifo)
      Process.exit(session, :kill)
      assert_receive {:EXIT, ^session, :killed}
      eventually(fn -> pid == nil or not alive?(pid) end)
      assert_unheard(step)
    end

    nothing_left(context.standing)
  end

  test "the session is killed: the owner it had at last is told", context do
    test = self()
    other = spawn_link(fn -> receive do: (event -> send(test, {:other, event})) end)
    {session, _pid} = reach(:parked, nil)
    assert [{:ready, _}] = heard(:fault)
    :ok = Linx.Process.set_owner(session, other)
    Process.exit(session, :kill)
    assert_receive {:other, {:linx_process, :fault, :error, 255, :session_died}}, 10_000
    assert_receive {:EXIT, ^session, :killed}
    assert heard(:fault) == []
    nothing_left(context.standing)
  end

  describe "the session is killed, and its owner told one end," do
    test "with the end of its workload in its mailbox", context do
      {session, pid} = reach(:parked, nil)
      :erlang.suspend_process(session)
      kill(pid)
      all_quiet()
      Process.exit(session, :kill)
      assert_receive {:EXIT, ^session, :killed}
      assert_receive {:linx_process, :fault, :error, 255, :session_died}, 10_000
      assert [{:ready, ^pid}] = heard(:fault)
      nothing_left(context.standing)
    end

    test "with the end of its agent in its mailbox", context do
      {session, _pid} = reach(:parked, nil)
      :erlang.suspend_process(session)
      kill_agent()
      Process.exit(session, :kill)
      assert_receive {:EXIT, ^session, :killed}
      assert_receive {:linx_process, :fault, :error, 255, :session_died}, 10_000
      assert [{:ready, _}] = heard(:fault)
      nothing_left(context.standing)
    end

    test "before anybody has heard of it", context do
      :sys.suspend(Linx.AgentPort)
      on_exit(fn -> :sys.resume(Linx.AgentPort) end)
      session = start(argv: ["sleep", "300"])
      Process.exit(session, :kill)
      assert_receive {:EXIT, ^session, :killed}
      :sys.resume(Linx.AgentPort)
      assert_receive {:linx_process, :fault, :error, 255, :session_died}, 10_000
      nothing_left(context.standing)
    end

    test "when it had told it already", context do
      session = start(argv: ["true"], auto_proceed: true)
      assert {:ok, {:exited, 0}} = Linx.Process.wait(session)
      Process.exit(session, :kill)
      assert_receive {:EXIT, ^session, :killed}
      all_quiet()
      :sys.get_state(Linx.AgentPort)
      assert List.last(events(:fault)) == {:exited, 0}
      nothing_left(context.standing)
    end

    test "as its workload ends, 300 times", context do
      for _ <- 1..300 do
        session = start(argv: ["true"], auto_proceed: true)
        if :rand.uniform(2) == 1, do: Process.sleep(:rand.uniform(3) - 1)
        Process.exit(session, :kill)
        assert_receive {:EXIT, ^session, :killed}
        all_quiet()
        :sys.get_state(Linx.AgentPort)
        assert List.last(events(:fault)) in [{:exited, 0}, {:error, 255, :session_died}]
      end

      nothing_left(context.standing)
    end
  end

  test "the session is stopped before it has an agent: its owner is told one end", context do
    for agent <- [:shared, :dedicated] do
      :ok = Supervisor.terminate_child(Linx.Supervisor, Linx.AgentPort)
      {:ok, _port} = Supervisor.restart_child(Linx.Supervisor, Linx.AgentPort)
      session = start(argv: ["sleep", "300"], agent: agent)
      dismiss(session)
      all_quiet()
      assert events(:fault) == [{:aborted}]
    end

    nothing_left(context.standing)
  end

  test "the session with an agent of its own is killed at any step", context do
    for step <- [:parked, :verbs, :running] do
      session = start(argv: ["sleep", "300"], agent: :dedicated, auto_proceed: step == :running)
      {:ok, pid} = Linx.Process.host_pid(session)
      if step == :verbs, do: :ok = Session.verb(session, {:drop_bounding, 2})
      Process.exit(session, :kill)
      assert_receive {:EXIT, ^session, :killed}
      eventually(fn -> not alive?(pid) end)
      assert_unheard(step)
    end

    nothing_left(context.standing)
  end

  test "the caller and owner is killed at any step", context do
    for step <- @steps do
      test = self()

      caller =
        spawn(fn ->
          {session, pid} = reach(step, context.fifo)
          send(test, {:reached, session, pid})
          Process.sleep(:infinity)
        end)

      assert_receive {:reached, session, pid}, 10_000
      monitor = Process.monitor(session)
      Process.exit(caller, :kill)
      assert_receive {:DOWN, ^monitor, :process, _, :killed}, 10_000
      eventually(fn -> pid == nil or not alive?(pid) end)
    end

    nothing_left(context.standing)
  end

  describe "the VM is killed" do
    test "while 500 sessions are at steps of all kinds: nothing is left of them", context do
      mark = "linx_fault_#{System.unique_integer([:positive])}_#{System.pid()}"
      paths = for path <- :code.get_path(), arg <- ["-pa", to_string(path)], do: arg
      args = paths ++ [fixture("crowded_vm.exs"), context.fifo]

      port =
        Port.open({:spawn_executable, System.find_executable("elixir")}, [
          :binary,
          {:line, 1000},
          args: args,
          env: [{to_charlist("LINX_MARK"), to_charlist(mark)}]
        ])

      assert_receive {^port, {:data, {:eol, "up"}}}, 60_000
      eventually(fn -> length(marked(mark)) > 100 end)
      {:os_pid, vm} = Port.info(port, :os_pid)
      kill(vm)
      eventually(fn -> marked(mark) == [] end)
      nothing_left(context.standing)
    end

    # Every process that has the mark in its environment: the VM, its agent, parked children, workloads.
    defp marked(mark) do
      for name <- File.ls!("/proc"),
          name =~ ~r/^\d+$/,
          {:ok, environ} <- [File.read("/proc/#{name}/environ")],
          String.contains?(environ, mark),
          alive?(name),
          do: name
    end
  end

  # Of a session that was killed its owner hears that, unless it had told its end before.
  defp assert_unheard(step) do
    all_quiet()
    last = List.last(events(:fault))
    assert last == {:error, 255, :session_died} or {step, last} == {:stopping, {:signaled, 1}}
  end
end
