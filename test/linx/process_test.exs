defmodule Linx.ProcessTest do
  use ExUnit.Case

  import Linx.TestSessions, only: [park: 1, run: 1]
  import Linx.TestWorkloads

  alias Linx.Process.{Error, Info}

  doctest Linx.Process
  doctest Linx.Process.Error
  doctest Linx.Process.Info
  doctest Linx.Process.Session
  doctest Linx.Errno

  describe "events" do
    test "of a workload that ends: ready, running, exited, and nothing after" do
      {:ok, session} = Linx.Process.spawn(argv: ["sh", "-c", "exit 7"])
      assert_receive {:linx_process, :ready, host_pid}
      assert {:ok, ^host_pid} = Linx.Process.host_pid(session)
      assert alive?(host_pid)
      refute_received _any
      :ok = Linx.Process.proceed(session)
      assert_receive {:linx_process, :running}
      assert_receive {:linx_process, :exited, 7}
      assert {:ok, {:exited, 7}} = Linx.Process.wait(session)
      :gen_statem.stop(session)
      refute_received _any
    end

    test "of one that is killed" do
      {session, host_pid} = launch(argv: ["sleep", "300"])
      assert {_, 0} = System.cmd("kill", ["-KILL", "#{host_pid}"])
      assert {:ok, {:signaled, 9}} = Linx.Process.wait(session)
      assert_receive {:linx_process, :signaled, 9}
    end

    test "of one that is aborted: it has not run" do
      path = Path.join(System.tmp_dir!(), "linx-#{System.unique_integer([:positive])}")
      {session, host_pid} = park(argv: ["touch", path])
      assert :ok = Linx.Process.abort(session)
      assert_receive {:linx_process, :aborted}
      assert {:ok, :aborted} = Linx.Process.wait(session)
      refute alive?(host_pid)
      refute File.exists?(path)
      refute_received {:linx_process, :running}
    end

    test "of an exec that fails" do
      for {argv, errno, name} <- [
            {["/no/such/program"], 2, :enoent},
            {["no-such-program"], 2, :enoent},
            {["/etc/hostname/x"], 20, :enotdir},
            {["/etc/passwd"], 13, :eacces}
          ] do
        {session, _pid} = park(argv: argv)
        assert :ok = Linx.Process.proceed(session)
        assert_receive {:linx_process, :error, ^errno, :execve}
        refute_received {:linx_process, :running}

        assert {:error, %Error{stage: :execve, errno: ^name, code: ^errno}} =
                 Linx.Process.wait(session)
      end
    end

    test "of a child that is killed at the checkpoint: it never ran" do
      {session, host_pid} = park(argv: ["true"])
      System.cmd("kill", ["-KILL", "#{host_pid}"])
      assert {:ok, {:signaled, 9}} = Linx.Process.wait(session)
      refute_received {:linx_process, :running}
    end
  end

  describe "what the workload gets" do
    test "arguments as they are" do
      launch(argv: ["printf", "%s|", "a b", "", "é", "$HOME"], stdio: :pipe)
      assert {%{stdout: "a b||é|$HOME|"}, {:exited, 0}} = collect()
    end

    test "the environment of the VM, as it is now" do
      System.put_env("LINX_TEST", "now")
      launch(argv: ["printenv", "LINX_TEST"], stdio: :pipe)
      assert {%{stdout: "now\n"}, {:exited, 0}} = collect()
      System.delete_env("LINX_TEST")
      launch(argv: ["printenv", "LINX_TEST"], stdio: :pipe)
      assert {%{}, {:exited, 1}} = collect()
    end

    test "exactly the environment it was given" do
      for env <- [["A=1", "B=x=y"], [{"A", "1"}, {"B", "x=y"}], %{"A" => "1", "B" => "x=y"}] do
        launch(argv: ["/usr/bin/env"], env: env, stdio: :pipe)
        assert {%{stdout: "A=1\nB=x=y\n"}, {:exited, 0}} = collect()
      end

      launch(argv: ["/usr/bin/env"], env: [], stdio: :pipe)
      assert {output, {:exited, 0}} = collect()
      assert output == %{}
    end

    test "a program from its own PATH" do
      {_session, _pid} = launch(argv: ["both.sh"], env: ["PATH=#{fixture("")}"], stdio: :pipe)
      assert {%{stdout: "out\n", stderr: "err\n"}, {:exited, 0}} = collect()
    end

    test "its working directory" do
      launch(argv: ["/bin/pwd"], cwd: "/usr", stdio: :pipe)
      assert {%{stdout: "/usr\n"}, {:exited, 0}} = collect()
    end

    test "the VM's working directory, where none is given" do
      here = File.cwd!()
      launch(argv: ["/bin/pwd"], stdio: :pipe)
      assert {%{stdout: first}, {:exited, 0}} = collect()
      assert String.trim(first) == here

      File.cd!("/var", fn ->
        launch(argv: ["/bin/pwd"], stdio: :pipe)
        assert {%{stdout: "/var\n"}, {:exited, 0}} = collect()
      end)
    end

    test "an error where there is no such directory" do
      {:ok, session} = Linx.Process.spawn(argv: ["true"], cwd: "/no/such", auto_proceed: true)
      assert {:error, %Error{stage: :chdir, errno: :enoent}} = Linx.Process.wait(session)
      assert_receive {:linx_process, :error, 2, :chdir}
      refute_received {:linx_process, :running}
    end

    test "no_new_privs, when asked" do
      for {flag, line} <- [{true, "NoNewPrivs:\t1\n"}, {false, "NoNewPrivs:\t0\n"}] do
        launch(
          argv: ["grep", "NoNewPrivs", "/proc/self/status"],
          no_new_privs: flag,
          stdio: :pipe
        )

        assert {%{stdout: ^line}, {:exited, 0}} = collect()
      end
    end

    test "no ignored or blocked signal, and no file but its three" do
      launch(argv: ["grep", "-E", "Sig(Blk|Ign)", "/proc/self/status"], stdio: :pipe)
      assert {%{stdout: masks}, {:exited, 0}} = collect()
      assert masks =~ ~r/\ASigBlk:\t0{16}\nSigIgn:\t0{16}\n\z/

      {_session, pid} = launch(argv: ["sleep", "300"], stdio: :devnull)
      # When it has loaded its libraries.
      eventually(fn -> Enum.sort(File.ls!("/proc/#{pid}/fd")) == ["0", "1", "2"] end)
    end
  end

  describe "proceed/1" do
    test "by state" do
      {:ok, session} = Linx.Process.spawn(argv: ["sleep", "300"])
      {:ok, _pid} = Linx.Process.host_pid(session)
      assert :ok = Linx.Process.proceed(session)
      assert {:error, :running} = Linx.Process.proceed(session)
      assert_receive {:linx_process, :running}
      assert {:error, :running} = Linx.Process.proceed(session)
      Linx.Process.signal(session, 9)
      Linx.Process.wait(session)
      assert {:error, :no_process} = Linx.Process.proceed(session)
    end

    test "before the checkpoint" do
      assert {:error, :not_ready} = in_early_state(&Linx.Process.proceed/1)
    end

    test "is not needed with auto_proceed: true" do
      {:ok, session} = Linx.Process.spawn(argv: ["true"], auto_proceed: true)
      assert {:ok, {:exited, 0}} = Linx.Process.wait(session)
      assert {:messages, messages} = Process.info(self(), :messages)

      assert [{:linx_process, :ready, _}, {:linx_process, :running}, {:linx_process, :exited, 0}] =
               messages
    end
  end

  describe "abort/1" do
    test "by state" do
      {session, _pid} = launch(argv: ["sleep", "300"])
      assert {:error, :running} = Linx.Process.abort(session)
      Linx.Process.signal(session, 9)
      Linx.Process.wait(session)
      assert {:error, :no_process} = Linx.Process.abort(session)
    end

    test "before the checkpoint is kept" do
      {:ok, session} = Linx.Process.spawn(argv: ["true"])
      assert :ok = Linx.Process.abort(session)
      assert :ok = Linx.Process.abort(session)
      assert {:ok, :aborted} = Linx.Process.wait(session)
      assert {:error, :no_process} = Linx.Process.proceed(session)
      refute_received {:linx_process, :running}
    end

    @tag :tmp_dir
    test "of a child that proceeds on its own: it has not run, or runs to its end", %{
      tmp_dir: dir
    } do
      # Later and later until it is too late, and earlier again.
      {answers, _pause} =
        Enum.map_reduce(1..300, 0, fn n, pause ->
          answer = abort_after(pause, Path.join(dir, "#{n}"))
          {answer, if(answer == :ok, do: div(pause * 5, 4) + 1_000, else: div(pause * 3, 4))}
        end)

      assert :ok in answers and {:error, :running} in answers
    end

    defp abort_after(pause, trace) do
      {:ok, session} = Linx.Process.spawn(argv: ["touch", trace], auto_proceed: true)
      spin(pause)
      answer = Linx.Process.abort(session)
      outcome = Linx.Process.wait(session)

      assert {answer, outcome, File.exists?(trace)} in [
               {:ok, {:ok, :aborted}, false},
               {{:error, :running}, {:ok, {:exited, 0}}, true},
               {{:error, :no_process}, {:ok, {:exited, 0}}, true}
             ]

      answer
    end

    defp spin(0), do: :ok
    defp spin(n), do: spin(n - 1)
  end

  describe "signal/2" do
    test "delivers to a running workload" do
      {session, _pid} = launch(argv: [fixture("tells_signals.sh")], stdio: :pipe)
      read_until(:stdout, "up")
      assert :ok = Linx.Process.signal(session, 10)
      read_until(:stdout, "usr1")
      assert :ok = Linx.Process.signal(session, 12)
      read_until(:stdout, "usr2")
      assert :ok = Linx.Process.signal(session, 15)
      assert {%{stdout: "term\n"}, {:exited, 5}} = collect()
      assert {:error, :no_process} = Linx.Process.signal(session, 15)
    end

    test "before :running is kept" do
      {session, host_pid} = park(argv: ["sleep", "300"])
      assert :ok = Linx.Process.signal(session, 15)
      assert alive?(host_pid)
      assert {:error, :timeout} = Linx.Process.wait(session, 0)
      run(session)
      assert {:ok, {:signaled, 15}} = Linx.Process.wait(session)
      assert :ok = in_early_state(&Linx.Process.signal(&1, 9))
    end

    test "takes no other number" do
      {session, _pid} = park(argv: ["true"])

      for signum <- [0, 65, -1, :term, 1.0] do
        assert_raise FunctionClauseError, fn -> Linx.Process.signal(session, signum) end
      end
    end
  end

  describe "host_pid/1" do
    test "waits for the checkpoint, and answers after the end" do
      {:ok, session} = Linx.Process.spawn(argv: ["true"])
      assert {:ok, host_pid} = Linx.Process.host_pid(session)
      assert_received {:linx_process, :ready, ^host_pid}
      Linx.Process.proceed(session)
      assert {:ok, ^host_pid} = Linx.Process.host_pid(session)
      Linx.Process.wait(session)
      assert {:ok, ^host_pid} = Linx.Process.host_pid(session)
    end

    test "of a child that never came to be" do
      stdio = [stdin: {:file, "/no/such/file"}]
      {:ok, session} = Linx.Process.spawn(argv: ["true"], stdio: stdio)
      assert {:error, :no_process} = Linx.Process.host_pid(session)
      assert_receive {:linx_process, :error, 2, :stdio}
      assert {:error, :no_process} = Linx.Process.host_pid(session)
    end
  end

  describe "wait/2" do
    test "answers any number of waiters" do
      {session, _pid} = launch(argv: ["sleep", "300"])
      waiters = for _ <- 1..50, do: Task.async(fn -> Linx.Process.wait(session, 10_000) end)
      impatient = Task.async(fn -> Linx.Process.wait(session, 1) end)
      assert {:error, :timeout} = Task.await(impatient)
      assert {:error, :timeout} = Linx.Process.wait(session, 0)
      Linx.Process.signal(session, 9)
      assert Enum.uniq(Task.await_many(waiters)) == [ok: {:signaled, 9}]
    end

    test "leaves no stray reply behind" do
      {session, _pid} = launch(argv: ["sleep", "300"])
      assert {:error, :timeout} = Linx.Process.wait(session, 1)
      Linx.Process.signal(session, 9)
      assert_receive {:linx_process, :signaled, 9}
      assert {:ok, _} = Linx.Process.info(session)
      refute_received _any
    end

    test "forgets a waiter that has died" do
      {session, _pid} = launch(argv: ["sleep", "300"])
      {waiter, monitor} = spawn_monitor(fn -> Linx.Process.wait(session) end)
      eventually(fn -> waiters(session) == 1 end)
      Process.exit(waiter, :kill)
      assert_receive {:DOWN, ^monitor, :process, _, :killed}
      eventually(fn -> waiters(session) == 0 end)
    end

    test "takes no other timeout" do
      assert_raise FunctionClauseError, fn -> Linx.Process.wait(self(), -1) end
      assert_raise FunctionClauseError, fn -> Linx.Process.wait(self(), :never) end
    end

    defp waiters(session) do
      {_state, data} = :sys.get_state(session)
      map_size(data.waiters)
    end
  end

  describe "info/1" do
    test "by state" do
      assert {:ok, %Info{mode: :spawn, stage: early, host_pid: nil}} =
               in_early_state(&Linx.Process.info/1)

      assert early in [:starting, :spawned]
      {:ok, session} = Linx.Process.spawn(argv: ["sleep", "300"])
      {:ok, pid} = Linx.Process.host_pid(session)

      assert {:ok, %Info{stage: :ready, host_pid: ^pid, child_pid: ^pid}} =
               Linx.Process.info(session)

      Linx.Process.proceed(session)
      assert {:ok, %Info{stage: :running, pty?: false, result: nil}} = Linx.Process.info(session)
      Linx.Process.signal(session, 9)
      Linx.Process.wait(session)

      assert {:ok, %Info{stage: :signaled, result: {:signaled, 9}, host_pid: ^pid} = info} =
               Linx.Process.info(session)

      assert inspect(info) == "#Linx.Process.Info<spawn :signaled(9) host=#{pid}>"
    end

    test "is inspected in short form" do
      error = Error.new(:execve, 2)

      for {info, text} <- [
            {%Info{stage: :starting}, "<spawn :starting>"},
            {%Info{stage: :ready, host_pid: 12_345}, "<spawn :ready host=12345>"},
            {%Info{stage: :running, host_pid: 12_345, pty?: true},
             "<spawn :running host=12345 pty>"},
            {%Info{mode: :enter, stage: :exited, host_pid: 7, result: {:exited, 0}},
             "<enter :exited(0) host=7>"},
            {%Info{stage: :errored, host_pid: 12_345, result: error},
             "<spawn :errored(execve/2) host=12345>"},
            {%Info{stage: :aborted, host_pid: 7, result: :aborted}, "<spawn :aborted host=7>"}
          ] do
        assert inspect(info) == "#Linx.Process.Info" <> text
      end
    end

    test "of errors" do
      assert Exception.message(Error.new(:execve, 2)) ==
               "process execve failed: enoent (errno 2)"

      assert Exception.message(Error.new(:agent_died, 137)) ==
               "process agent died without reporting a terminal status (exit code 137)"

      assert %Error{errno: :unknown, code: 4711} = Error.new(:clone, 4711)
    end
  end

  test "a dead session raises nowhere" do
    {:ok, session} = Linx.Process.spawn(argv: ["true"], linger: false, auto_proceed: true)
    monitor = Process.monitor(session)
    assert_receive {:DOWN, ^monitor, :process, _, reason} when reason in [:normal, :noproc]

    for call <- [
          &Linx.Process.proceed/1,
          &Linx.Process.abort/1,
          &Linx.Process.signal(&1, 1),
          &Linx.Process.host_pid/1,
          &Linx.Process.wait/1,
          &Linx.Process.wait(&1, 0),
          &Linx.Process.info/1,
          &Linx.Process.set_owner(&1, self()),
          &Linx.Process.write(&1, "x"),
          &Linx.Process.close_stdin/1,
          &Linx.Process.pty_write(&1, "x"),
          &Linx.Process.pty_set_winsize(&1, {1, 1, 0, 0}),
          &Linx.Process.pty_master/1,
          &Linx.Process.Session.verb(&1, {:drop_bounding, 0})
        ] do
      assert call.(session) == {:error, :no_process}
    end
  end

  test "a session that is no pid is a programming error" do
    for call <- [
          &Linx.Process.proceed/1,
          &Linx.Process.abort/1,
          &Linx.Process.signal(&1, 1),
          &Linx.Process.host_pid/1,
          &Linx.Process.wait/1,
          &Linx.Process.info/1,
          &Linx.Process.set_owner(&1, self()),
          &Linx.Process.write(&1, "x"),
          &Linx.Process.close_stdin/1,
          &Linx.Process.pty_write(&1, "x"),
          &Linx.Process.pty_set_winsize(&1, {1, 1, 0, 0}),
          &Linx.Process.pty_master/1
        ],
        session <- [:session, nil, 1] do
      assert_raise FunctionClauseError, fn -> call.(session) end
    end

    assert_raise FunctionClauseError, fn -> Linx.Process.set_owner(self(), :nobody) end
  end

  @tag :capture_log
  test "stray messages and calls are logged and ignored" do
    {session, _pid} = park(argv: ["true"])

    log =
      ExUnit.CaptureLog.capture_log(fn ->
        send(session, :what)
        send(session, {:linx_agent, :what})
        :gen_statem.cast(session, :what)
        assert {:ok, %Info{stage: :ready}} = Linx.Process.info(session)
      end)

    assert log =~ "ignoring unexpected message :what"
    assert log =~ "ignoring unexpected message {:linx_agent, :what}"
  end

  describe "settle/1" do
    test "waits for the verbs of a parked child, and leaves nothing behind" do
      {session, host_pid} = park(argv: ["true"])
      assert :ok = Linx.Process.Session.settle(host_pid)
      :ok = Linx.Process.Session.verb(session, {:set_thread_sets, 0, 0, 0})
      assert {:ok, ^session} = Linx.AgentPort.Unsettled.session(host_pid)
      assert :ok = Linx.Process.Session.settle(host_pid)
      assert File.read!("/proc/#{host_pid}/status") =~ "CapPrm:\t0000000000000000"
      assert :error = Linx.AgentPort.Unsettled.session(host_pid)
    end

    test "host_pid/1 and info/1 settle too" do
      for call <- [&Linx.Process.host_pid/1, &Linx.Process.info/1] do
        {session, host_pid} = park(argv: ["true"])
        :ok = Linx.Process.Session.verb(session, {:set_thread_sets, 0, 0, 0})
        {:ok, _} = call.(session)
        assert File.read!("/proc/#{host_pid}/status") =~ "CapPrm:\t0000000000000000"
      end
    end

    test "does not mind a session that was killed" do
      Process.flag(:trap_exit, true)
      {session, host_pid} = park(argv: ["true"])
      :ok = Linx.Process.Session.verb(session, {:set_thread_sets, 0, 0, 0})
      Process.exit(session, :kill)
      assert_receive {:EXIT, ^session, :killed}
      assert :ok = Linx.Process.Session.settle(host_pid)
      assert :error = Linx.AgentPort.Unsettled.session(host_pid)
    end
  end

  # What a session answers that has not heard of its agent yet.
  defp in_early_state(call) do
    :sys.suspend(Linx.AgentPort)
    {:ok, session} = Linx.Process.spawn(argv: ["sleep", "300"], stdio: :devnull)
    answer = call.(session)
    :sys.resume(Linx.AgentPort)
    {:ok, _pid} = Linx.Process.host_pid(session)
    :gen_statem.stop(session)
    answer
  end
end
