defmodule Linx.FailuresTest do
  # Failures that launchers of programs are known for. docs/failures.md lists all, with the test of each.
  use ExUnit.Case

  import Linx.TestSessions, only: [park: 1, run: 1]
  import Linx.TestWorkloads
  import Linx.TestFaults

  alias Linx.Capabilities

  @moduletag :capture_log

  describe "ends" do
    @tag :root
    test "of 10,000 short ones are all told, and no zombie stays" do
      before = standing()

      1..16
      |> Enum.map(fn _ -> Task.async(fn -> for _ <- 1..625, do: short_one() end) end)
      |> Task.await_many(120_000)
      |> List.flatten()
      |> Enum.each(&assert &1 == {:ok, {:exited, 0}})

      nothing_left(before)
    end

    @tag :root
    test "of 1,000 that leave their input unread harm neither owner nor agent" do
      before = standing()

      for _ <- 1..1_000 do
        opts = [argv: ["true"], stdio: [stdin: :pipe], auto_proceed: true, tag: :unread]
        {:ok, session} = Linx.Process.spawn(opts)
        {:ok, _pid} = Linx.Process.host_pid(session)
        assert Linx.Process.write(session, "unread") in [:ok, {:error, :no_process}]
        assert {:ok, {:exited, 0}} = Linx.Process.wait(session)
        assert {:exited, 0} = List.last(events(:unread))
        :gen_statem.stop(session)
      end

      nothing_left(before)
    end

    test "in the middle of a line bring what was written until then" do
      launch(argv: [fixture("dies_mid_write.sh")], stdio: :pipe)
      assert {%{stdout: "half a li"}, {:signaled, 9}} = collect()
    end

    test "are the workload's, not those of its output" do
      {session, _pid} = launch(argv: [fixture("closes_stdout.sh")], stdio: :pipe)
      read_until(:stdout, "last words\n")
      assert {:error, :timeout} = Linx.Process.wait(session, 50)
      :ok = Linx.Process.write(session, "go\n")
      assert {_none, {:exited, 6}} = collect()
    end

    test "of a daemon's parents are its own" do
      opts = [argv: [fixture("double_fork.sh")], stdio: :pipe, orphan_policy: {:kill, 200}]
      launch(opts)
      assert {%{stdout: pid}, {:exited, 0}} = collect()
      eventually(fn -> not alive?(String.trim(pid)) end)
    end

    defp short_one do
      {:ok, session} = Linx.Process.spawn(argv: ["true"], auto_proceed: true, stdio: :devnull)
      result = Linx.Process.wait(session)
      :gen_statem.stop(session)
      result
    end
  end

  describe "signals" do
    test "of a workload to its process group reach nobody else" do
      {other, _pid} = launch(argv: ["sleep", "300"])
      agent = agent_pid()
      {session, _pid} = launch(argv: [fixture("kills_group.sh")])
      assert {:ok, {:signaled, 15}} = Linx.Process.wait(session)
      assert agent_pid() == agent and alive?(agent)
      assert {:ok, %{stage: :running}} = Linx.Process.info(other)
    end

    @tag :root
    test "reach a workload that has changed its user" do
      {session, pid} = launch(argv: [fixture("changes_user.sh")], stdio: :pipe)
      read_until(:stdout, "up")
      assert File.stat!("/proc/#{pid}").uid == 64_321
      assert :ok = Linx.Process.signal(session, 15)
      assert {:ok, {:signaled, 15}} = Linx.Process.wait(session)

      {session, pid} = launch(argv: [fixture("changes_user.sh")], stdio: :pipe)
      read_until(:stdout, "up")
      :gen_statem.stop(session)
      refute alive?(pid)
    end
  end

  test "of 50 workloads started at once none has a file of another's" do
    for n <- 1..50 do
      opts = [argv: ["ls", "-l", "/proc/self/fd"], stdio: :pipe, tag: n, auto_proceed: true]
      {:ok, session} = Linx.Process.spawn(opts)
      session
    end
    |> Enum.each(&assert {:ok, {:exited, 0}} = Linx.Process.wait(&1))

    for n <- 1..50 do
      output = for {:stdout, bytes} <- events(n), into: "", do: bytes
      # Its three, and the directory that it lists.
      assert [["0"], ["1"], ["2"], ["3"]] =
               Regex.scan(~r/ (\d+)(?= -> )/, output, capture: :all_but_first)

      assert [_pipe, _pipe2, _pipe3] = Regex.scan(~r/pipe:/, output)
    end
  end

  test "of 1 GiB through a small window to a slow owner no byte is lost" do
    # Every part of it is different from every other.
    script = "seq 1 130000000 2>/dev/null | head -c 1073741824"
    launch(argv: ["sh", "-c", script], stdio: [stdin: :devnull, stdout: :pipe])
    assert {1_073_741_824, digest, {:exited, 0}} = digest(0, :crypto.hash_init(:md5), 0)
    {expected, 0} = System.cmd("sh", ["-c", script <> " | md5sum"])
    assert Base.encode16(digest, case: :lower) == binary_part(expected, 0, 32)
  end

  # Pauses now and then, so that the window is used up.
  defp digest(size, hash, messages) do
    if rem(messages, 1_000) == 0, do: Process.sleep(1)

    receive do
      {:linx_process, :stdout, bytes} ->
        digest(size + byte_size(bytes), :crypto.hash_update(hash, bytes), messages + 1)

      {:linx_process, kind, number} ->
        {size, :crypto.hash_final(hash), {kind, number}}
    after
      30_000 -> flunk("no end after #{size} bytes")
    end
  end

  describe "a terminal" do
    test "cuts lines after 4,095 bytes while it has lines" do
      {session, _pid} = launch(argv: ["sh", "-c", "stty -echo; echo up; wc -c"], stdio: :pty)
      read_until(:pty_out, "up")
      :ok = Linx.Process.pty_write(session, [:binary.copy("x", 10_000), "\n", 4])
      assert {%{pty_out: output}, {:exited, 0}} = collect()
      # The line's end is its 4,096th byte.
      assert output =~ "4096"
    end

    test "of somebody else is out of reach: every workload leads a session of its own" do
      for stdio <- [:inherit, :pipe, :pty] do
        {_session, pid} = launch(argv: ["sleep", "300"], stdio: stdio)
        assert session_of(pid) == pid
      end

      launch(argv: ["sh", "-c", "echo x > /dev/tty"], stdio: [stdout: :pipe, stderr: :stdout])
      assert {%{stdout: error}, {:exited, _}} = collect()
      # ENXIO
      assert error =~ "No such device or address"
    end

    defp session_of(pid) do
      [_name, rest] = "/proc/#{pid}/stat" |> File.read!() |> String.split(") ", parts: 2)
      rest |> String.split() |> Enum.at(3) |> String.to_integer()
    end
  end

  describe "a launch that fails at execve" do
    @describetag :tmp_dir

    test "says why", %{tmp_dir: dir} do
      text = Path.join(dir, "text")
      File.write!(text, "no program\n")
      File.chmod!(text, 0o755)

      for {argv, errno, code} <- [
            {["/no/such/program"], :enoent, 2},
            {[dir], :eacces, 13},
            {[text], :enoexec, 8},
            {["true", :binary.copy("x", 200_000)], :e2big, 7}
          ] do
        {:ok, session} = Linx.Process.spawn(argv: argv, auto_proceed: true)
        assert {:error, error} = Linx.Process.wait(session)
        assert {error.stage, error.errno, error.code} == {:execve, errno, code}
      end
    end
  end

  describe "an agent with more than it needs" do
    @describetag :root
    @describetag :tmp_dir

    test "leaves of its inheritable capabilities only the ambient ones", %{tmp_dir: dir} do
      agent_under(
        ~s(exec setpriv --inh-caps +net_raw,+net_admin --ambient-caps +net_admin "$@"),
        dir
      )

      {session, pid} = park(argv: ["sleep", "300"])
      assert {:ok, parked} = Capabilities.read(pid)
      assert parked.inheritable == MapSet.new([:cap_net_admin])
      assert parked.ambient == parked.inheritable
      run(session)
      assert {:ok, running} = Capabilities.read(pid)
      assert running.inheritable == parked.inheritable
    end
  end

  describe "a parked child" do
    @describetag :root
    @describetag :tmp_dir

    test "is closed to others of its own user until it runs", %{tmp_dir: dir} do
      File.chmod!(dir, 0o755)
      as_other = ~w(setpriv --reuid 64321 --regid 64321 --clear-groups)
      agent_under(~s(exec #{Enum.join(as_other, " ")} "$@"), dir)
      {session, pid} = park(argv: ["sleep", "300"])
      [program | args] = as_other ++ ["head", "-c", "1"]

      peek = fn file ->
        System.cmd(program, args ++ ["/proc/#{pid}/#{file}"], stderr_to_stdout: true)
      end

      for file <- ~w(environ mem auxv), do: assert({_denied, 1} = peek.(file))
      run(session)
      assert {_byte, 0} = peek.("environ")
    end
  end

  test "all have a test of the name that docs/failures.md gives it" do
    rows =
      for line <- File.stream!("docs/failures.md"),
          [_, _failure, _here, names, files, _] <- [String.split(line, "|")],
          files =~ "_test.exs",
          do: {String.split(names, ";", trim: true), Regex.scan(~r/[a-z_]+_test\.exs/, files)}

    assert length(rows) > 30

    for {names, files} <- rows, name <- names do
      text = for [file] <- files, into: "", do: File.read!("test/linx/#{file}")
      assert text =~ ~s(test "#{String.trim(name)})
    end
  end
end
