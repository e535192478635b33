defmodule Linx.ExecveKernelTest do
  # What is predicted for a parked session is what becomes of it. The rules themselves are held against the kernel
  # in native/linx-caps/tests/execve.rs; here it is the way from a session and a path to them.
  use ExUnit.Case

  import Linx.TestObserver
  import Linx.TestSessions

  alias Linx.Capabilities
  alias Linx.Capabilities.{Error, Execve, Securebits, Set, State}

  @moduletag :root

  @cases 2_000
  @ids [0, 5, 1000]
  @modes [0o755, 0o755, 0o4755, 0o4755, 0o2755, 0o6755]
  @eperm 1

  setup_all do
    {directory, program} = build("execve")
    on_exit(fn -> File.rm_rf!(directory) end)
    plain = for _ <- 1..40, do: variant(directory, program)
    %{directory: directory, program: program, files: plain ++ Enum.map(plain, &script/1)}
  end

  test "#{@cases} sessions become what was predicted", %{files: files} do
    outcomes = for _ <- 1..@cases, do: compare(Enum.random(files))
    refused = Enum.count(outcomes, &(&1 == :refused))
    assert refused in 1..div(@cases, 2)
  end

  test "a file below the session's own root directory", %{directory: directory, program: program} do
    inside = Path.join(directory, "inside")
    File.cp!(program, inside)
    File.chmod!(inside, 0o4755)
    {session, _pid} = park(argv: ["/inside"], stdio: [stdout: :pipe])
    assert {:error, %Error{errno: :enoent}} = Execve.predict(session, "/inside")
    :ok = Capabilities.set_chroot(session, directory)
    :ok = Capabilities.set_uid(session, 1000)
    assert {:ok, predicted} = Execve.predict(session, "/inside")
    run(session)
    assert observe(session).sets == sorted(predicted)
    assert MapSet.equal?(predicted.effective, bounding())
    dismiss(session)
  end

  test "what a session is to get just before its exec counts", %{program: program} do
    for option <- [true, false] do
      {session, _pid} =
        park(
          argv: ["./observe"],
          cwd: Path.dirname(program),
          no_new_privs: option,
          stdio: [stdout: :pipe]
        )

      :ok = Capabilities.set_thread_sets(session, effective: [], permitted: [], inheritable: [])
      assert Capabilities.no_new_privs?(session) == {:ok, option}
      assert {:ok, predicted} = Execve.predict(session, "./observe")
      assert MapSet.size(predicted.permitted) > 0 != option
      run(session)
      seen = observe(session)
      assert {seen.sets, seen.no_new_privs} == {sorted(predicted), option}
      dismiss(session)
    end
  end

  test "past the checkpoint, and in another user namespace, there is no prediction" do
    {session, _pid} = park(argv: ["sleep", "60"])
    run(session)
    assert Execve.predict(session, "/bin/true") == {:error, :running}
    :ok = Linx.Process.signal(session, 9)
    assert_receive {:linx_process, :signaled, 9}, 10_000
    assert Execve.predict(session, "/bin/true") == {:error, :no_process}
    {namespaced, _pid} = park(argv: ["true"], namespaces: [:user])
    assert Execve.predict(namespaced, "/bin/true") == {:error, :user_namespace}
    :ok = Linx.Process.abort(namespaced)
  end

  test "in another user namespace it is predicted from the ids there", %{program: program} do
    # The VM's user 0 is root inside, or has no id.
    for {map, inside} <- [{"0 0 1", 0}, {"0 100000 1", 65_534}] do
      options = [argv: [program], namespaces: [:user], stdio: [stdout: :pipe]]
      {session, pid} = park(options)
      for file <- ["uid_map", "gid_map"], do: File.write!("/proc/#{pid}/#{file}", map)
      {:ok, state} = Capabilities.read(pid)
      ids = [uid: inside, gid: inside]
      assert {:ok, predicted} = Execve.predict(state, [mode: 0o755], ids)
      assert Enum.empty?(predicted.permitted) == (inside != 0)
      run(session)
      assert observe(session).sets == sorted(predicted)
      dismiss(session)
    end
  end

  test "it waits for a session that is on its way to its checkpoint" do
    {:ok, session} = Linx.Process.spawn(argv: ["true"])
    assert {:ok, %State{}} = Execve.predict(session, "/bin/true")
    :ok = Linx.Process.abort(session)
  end

  test "a mount that is nosuid", %{directory: directory, program: program} do
    mount = Path.join(directory, "nosuid")
    File.mkdir!(mount)
    assert {_, 0} = System.cmd("mount", ~w(-t tmpfs -o nosuid,mode=755 tmpfs) ++ [mount])
    on_exit(fn -> System.cmd("umount", ["-l", mount]) end)
    file = Path.join(mount, "observe")
    File.cp!(program, file)
    File.chmod!(file, 0o4755)
    {session, _pid} = park(argv: [file], stdio: [stdout: :pipe])
    :ok = Capabilities.set_uid(session, 1000)
    assert {:ok, account} = Execve.explain(session, file)
    assert {account.uid, account.result} == {{1000, 1000}, {:ok, %State{bounding: bounding()}}}
    run(session)
    seen = observe(session)
    assert {seen.sets, seen.uids} == {sorted(elem(account.result, 1)), [1000, 1000, 1000, 1000]}
    dismiss(session)
  end

  # One session in a random state, which executes the file.
  defp compare(file) do
    {session, pid} = park(argv: [file], no_new_privs: one_in(8), stdio: [stdout: :pipe])
    confine(session)
    {:ok, account} = Execve.explain(session, file)
    assert Execve.predict(session, file) == account.result

    assert Execve.explain(Capabilities.read(pid) |> elem(1), file, described(session, pid)) ==
             {:ok, account}

    :ok = Linx.Process.proceed(session)
    came_of(account, session)
  end

  defp came_of(%{result: {:error, :eperm}}, session) do
    assert_receive {:linx_process, :error, @eperm, :execve}, 10_000
    :gen_statem.stop(session)
    :refused
  end

  defp came_of(%{result: {:ok, state}} = account, session) do
    assert_receive {:linx_process, :running}, 10_000
    seen = observe(session)
    dismiss(session)
    {ruid, euid} = account.uid
    {rgid, egid} = account.gid

    assert {seen.sets, seen.uids, seen.gids, Securebits.from_bits(seen.securebits)} ==
             {sorted(state), [ruid, euid, euid, euid], [rgid, egid, egid, egid],
              account.securebits}

    :ran
  end

  # The session in the words of the options.
  defp described(session, pid) do
    {:ok, set?} = Capabilities.no_new_privs?(session)
    {:ok, securebits} = Capabilities.securebits(session)
    status = File.read!("/proc/#{pid}/status")
    [uid, _, _, _] = numbers(status, "Uid")
    [gid, _, _, _] = numbers(status, "Gid")
    groups = numbers(status, "Groups")
    [uid: uid, gid: gid, groups: groups, no_new_privs: set?, securebits: securebits]
  end

  defp numbers(status, key) do
    [_, value] = Regex.run(~r/^#{key}:[ \t]*(.*)$/m, status)
    value |> String.split() |> Enum.map(&String.to_integer/1)
  end

  # Sets within sets, each as the kernel demands it, and only of what this machine has.
  defp confine(session) do
    held = bounding()
    permitted = some(held)
    inheritable = some(held)
    both = MapSet.intersection(permitted, inheritable)

    :ok =
      Capabilities.set_groups(
        session,
        Enum.random(@ids),
        Enum.take_random(@ids, Enum.random(0..2))
      )

    :ok = Capabilities.set_uid(session, Enum.random(@ids))

    :ok =
      Capabilities.set_thread_sets(session,
        effective: held,
        permitted: held,
        inheritable: inheritable
      )

    :ok = Capabilities.set_ambient(session, some(both))
    :ok = Capabilities.drop_bounding(session, some(held))
    :ok = Capabilities.set_securebits(session, securebits())
    sets = [effective: some(permitted), permitted: permitted, inheritable: :keep]
    :ok = Capabilities.set_thread_sets(session, sets)
    if one_in(8), do: :ok = Capabilities.set_no_new_privs(session)
  end

  defp some(set) do
    case Enum.random(1..6) do
      1 -> MapSet.new()
      2 -> set
      3 -> set |> Enum.take_random(3) |> MapSet.new()
      4 -> set |> Enum.shuffle() |> Enum.drop(3) |> MapSet.new()
      _ -> set |> Enum.filter(fn _ -> one_in(2) end) |> MapSet.new()
    end
  end

  defp securebits do
    flags = [:noroot, :no_setuid_fixup, :keep_caps, :no_cap_ambient_raise]
    if one_in(2), do: [], else: Enum.filter(flags ++ [:noroot_locked], fn _ -> one_in(2) end)
  end

  # A copy of the program with an owner, set-id bits and capabilities by chance. Capabilities come last, since the
  # other changes erase them.
  defp variant(directory, program) do
    path = Path.join(directory, "program-#{System.unique_integer([:positive])}")
    File.cp!(program, path)
    File.chown!(path, Enum.random(@ids))
    # Without the group's execute bit the group may not execute it, so it is nobody's.
    {mode, group} =
      Enum.random([{0o2745, 77} | for(mode <- @modes, do: {mode, Enum.random(@ids)})])

    File.chgrp!(path, group)
    File.chmod!(path, mode)
    with set when set != nil <- file_caps(), do: :ok = Capabilities.File.set(path, set)
    path
  end

  defp file_caps do
    all = Capabilities.Constants.all()
    caps = [permitted: some(all), inheritable: some(all)]
    both = MapSet.union(caps[:permitted], caps[:inheritable])

    case Enum.random(1..5) do
      1 -> Set.new(caps)
      2 -> Set.new([effective: both] ++ caps)
      3 -> bounded() |> then(&Set.new(effective: &1, permitted: &1))
      _ -> nil
    end
  end

  # What some sessions can have.
  defp bounded, do: bounding() |> Enum.take_random(2) |> MapSet.new()

  # Its own set-id bits and capabilities do not count.
  defp script(program) do
    path = program <> ".script"
    File.write!(path, "#!#{program}\n")
    File.chown!(path, Enum.random(@ids))
    File.chmod!(path, 0o6755)
    :ok = Capabilities.File.set(path, "cap_sys_admin+ep")
    path
  end

  defp sorted(state) do
    for key <- [:effective, :permitted, :inheritable, :bounding, :ambient],
        do: state |> Map.fetch!(key) |> Enum.sort()
  end

  defp one_in(n), do: Enum.random(1..n) == 1
end
