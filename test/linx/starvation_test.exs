defmodule Linx.StarvationTest do
  # An agent without enough of something: the launch that fails says what and where, the others go on, and the next one works
  # when there is enough again.
  use ExUnit.Case

  import Linx.TestSessions, only: [park: 1]
  import Linx.TestWorkloads
  import Linx.TestFaults

  @moduletag :capture_log
  @moduletag :root
  @moduletag :tmp_dir

  setup do
    %{standing: standing()}
  end

  # A workload that was there before the shortage, and answers.
  defp companion do
    {:ok, session} =
      Linx.Process.spawn(argv: ["cat"], stdio: :pipe, tag: :companion, auto_proceed: true)

    assert_receive {:linx_process, :companion, :running}, 10_000
    session
  end

  defp assert_goes_on(companion) do
    assert :ok = Linx.Process.write(companion, "still here\n")
    assert_receive {:linx_process, :companion, :stdout, "still here\n"}, 10_000
  end

  defp outcome(opts) do
    defaults = [argv: ["true"], tag: :starved, auto_proceed: true, stdio: :devnull]
    {:ok, session} = Linx.Process.spawn(Keyword.merge(defaults, opts))

    result = Linx.Process.wait(session)
    events = events(:starved)
    :gen_statem.stop(session)

    case result do
      {:ok, result} -> assert List.last(events) == result
      {:error, error} -> assert List.last(events) == {:error, error.code, error.stage}
    end

    case result do
      {:error, error} -> {error.stage, error.errno}
      {:ok, result} -> result
    end
  end

  test "descriptors", %{standing: standing} do
    companion = companion()
    agent = limit("nofile", first_free(agent_pid()))
    open = open_files(agent)

    for {stdio, stage} <- [pipe: :stdio, pty: :pty, devnull: :clone] do
      assert {stage, :emfile} == outcome(stdio: stdio)
      assert open_files(agent) == open
    end

    assert_goes_on(companion)
    relieve("nofile", agent)
    assert {:exited, 0} = outcome(argv: ["true"], stdio: :pipe)
    :gen_statem.stop(companion)
    flush()
    nothing_left(standing)
  end

  # The limit is one of numbers: with that one there are none left.
  defp first_free(pid) do
    used = for name <- File.ls!("/proc/#{pid}/fd"), do: String.to_integer(name)
    Enum.find(0..1_000, &(&1 not in used))
  end

  test "descriptors, one after the other until there are none", %{standing: standing} do
    agent = limit("nofile", open_files(agent_pid()) + 40)

    sessions =
      for _ <- 1..30,
          do: elem(Linx.Process.spawn(argv: ["sleep", "300"], stdio: :pipe, tag: :many), 1)

    {there, refused} = Enum.split_with(sessions, &match?({:ok, _pid}, Linx.Process.host_pid(&1)))
    assert there != [] and refused != []

    for session <- refused do
      assert {:error, %{stage: stage, errno: :emfile}} = Linx.Process.wait(session)
      assert stage in [:stdio, :clone]
    end

    # What is there can be let go and ended, though there is no descriptor to spare.
    for session <- there do
      assert :ok = Linx.Process.proceed(session)
      assert :ok = Linx.Process.signal(session, 15)
      assert {:ok, {:signaled, 15}} = Linx.Process.wait(session)
    end

    Enum.each(sessions, &:gen_statem.stop/1)
    relieve("nofile", agent)
    flush()
    nothing_left(standing)
  end

  test "descriptors for a start of its own", %{tmp_dir: dir} do
    relief = Path.join(dir, "relief")
    script = ~s([ -e #{relief} ] || exec prlimit --nofile=60:60 "$@"\nexec "$@")
    agent_under(script, dir)
    assert {:agent_died, :unknown} = outcome(argv: ["true"])
    File.touch!(relief)
    assert {:exited, 0} = outcome(argv: ["true"])
  end

  test "processes", %{tmp_dir: dir} do
    File.chmod!(dir, 0o755)
    uid = user_of_its_own()
    as_other = "setpriv --reuid #{uid} --regid #{uid} --clear-groups"
    agent_under(~s(exec #{as_other} prlimit --nproc=3:3 "$@"), dir)
    companion = companion()
    {parked, _pid} = park(argv: ["true"], stdio: :devnull)
    assert {:clone, :eagain} = outcome(argv: ["true"])
    assert_goes_on(companion)
    :ok = Linx.Process.abort(parked)
    assert {:ok, :aborted} = Linx.Process.wait(parked)
    assert {:exited, 0} = outcome(argv: ["true"])
  end

  # The kernel lets the change of user pass, and refuses the execve (setuid(2), execve(2): EAGAIN).
  test "processes of the user that a child has become", %{standing: standing} do
    uid = user_of_its_own()
    {other, _pid} = parked_as(uid)
    :ok = Linx.Process.proceed(other)
    assert_receive {:linx_process, :running}, 10_000
    agent = limit("nproc", 0)
    {session, _pid} = parked_as(uid)
    :ok = Linx.Process.proceed(session)
    assert_receive {:linx_process, :error, 11, :execve}, 10_000
    relieve("nproc", agent)
    for session <- [session, other], do: :gen_statem.stop(session)
    flush()
    nothing_left(standing)
  end

  # The limit counts all processes of a user, wherever they were started.
  defp user_of_its_own, do: 100_000 + :rand.uniform(900_000)

  defp parked_as(uid) do
    {session, pid} = park(argv: ["sleep", "300"], stdio: :devnull)
    :ok = Linx.Capabilities.set_groups(session, uid, [])
    :ok = Linx.Capabilities.set_uid(session, uid)
    {session, pid}
  end

  test "memory", %{standing: standing} do
    companion = companion()
    agent = limit("as", address_space(agent_pid()))

    sessions =
      for _ <- 1..100,
          do: elem(Linx.Process.spawn(argv: ["sleep", "300"], stdio: :devnull, tag: :many), 1)

    {there, refused} = Enum.split_with(sessions, &match?({:ok, _pid}, Linx.Process.host_pid(&1)))
    assert refused != []

    for session <- refused do
      assert {:error, %{stage: :clone, errno: :enomem}} = Linx.Process.wait(session)
    end

    assert agent_pid() == agent
    assert_goes_on(companion)
    relieve("as", agent)
    for session <- there ++ refused, do: :gen_statem.stop(session)
    assert {:exited, 0} = outcome(argv: ["true"])
    :gen_statem.stop(companion)
    flush()
    nothing_left(standing)
  end

  test "memory for what it is sent: the agent is lost, and another one serves" do
    companion = companion()
    agent = agent_pid()
    limit("as", address_space(agent))
    argv = ["true" | List.duplicate(:binary.copy("x", 100_000), 100)]
    assert {:agent_died, :unknown} = outcome(argv: argv)
    assert_receive {:linx_process, :companion, :error, status, :agent_died}, 10_000
    # SIGABRT; not learnt by a VM that was still writing to it.
    assert status in [134, 255]
    assert {:exited, 0} = outcome(argv: ["true"])
    assert agent_pid() != agent
    :gen_statem.stop(companion)
  end

  defp address_space(pid) do
    [_, kib] = Regex.run(~r/VmSize:\s+(\d+) kB/, File.read!("/proc/#{pid}/status"))
    String.to_integer(kib) * 1024
  end

  test "room on a disk", %{standing: standing, tmp_dir: dir} do
    {_, 0} = System.cmd("mount", ["-t", "tmpfs", "-o", "size=4k,nr_inodes=2", "tmpfs", dir])
    on_exit(fn -> System.cmd("umount", ["-l", dir]) end)
    companion = companion()

    [first, second] =
      for name <- ["first", "second"],
          do: [stdio: [stdin: :devnull, stdout: {:file, Path.join(dir, name)}]]

    assert {:exited, 0} = outcome([argv: ["echo", "fits"]] ++ first)
    assert {:stdio, :enospc} = outcome([argv: ["true"]] ++ second)
    # Where the file can be opened, that it has no room is the workload's own business.
    too_much = ["sh", "-c", "head -c 10000 /dev/zero 2>/dev/null"]
    assert {:exited, 1} = outcome([argv: too_much] ++ first)
    assert_goes_on(companion)
    File.rm!(Path.join(dir, "first"))
    assert {:exited, 0} = outcome([argv: ["echo", "fits"]] ++ second)
    :gen_statem.stop(companion)
    flush()
    nothing_left(standing)
  end

  test "terminals", %{tmp_dir: dir} do
    script = """
    exec unshare --mount sh -c 'mount -t devpts -o newinstance,ptmxmode=0666,max=2 devpts /dev/pts &&
      mount --bind /dev/pts/ptmx /dev/ptmx && exec "$@"' sh "$@"
    """

    agent_under(script, dir)
    companion = companion()
    {first, _pid} = park(argv: ["true"], stdio: :pty)
    {second, _pid} = park(argv: ["true"], stdio: :pty)
    assert {:pty, :enospc} = outcome(argv: ["true"], stdio: :pty)
    assert_goes_on(companion)

    for session <- [first, second] do
      :ok = Linx.Process.abort(session)
      assert {:ok, :aborted} = Linx.Process.wait(session)
    end

    assert {:exited, 0} = outcome(argv: ["true"], stdio: :pty)
  end

  defp flush do
    receive do
      _any -> flush()
    after
      0 -> :ok
    end
  end
end
