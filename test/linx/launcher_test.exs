defmodule Linx.LauncherTest do
  use ExUnit.Case

  import Linx.TestObserver
  import Linx.TestSessions, only: [bounding: 0]

  alias Linx.Capabilities.{IAB, TextError}
  alias Linx.Launcher
  alias Linx.Process.Error

  doctest Linx.Launcher

  @nobody 65_534
  @pure_securebits 0xEF

  setup_all do
    {directory, program} = build("launcher")
    on_exit(fn -> File.rm_rf!(directory) end)
    %{directory: directory, program: program}
  end

  defp launcher(program), do: Launcher.new(program, ["observer"])
  defp piped(launcher), do: Launcher.options(launcher, stdio: [stdout: :pipe])

  # The state of the observer that the launcher starts.
  defp launched(launcher) do
    {:ok, session} = launcher |> piped() |> Launcher.launch()
    seen = observe(session)
    dismiss(session)
    flush()
    seen
  end

  defp flush do
    receive do
      _event -> flush()
    after
      0 -> :ok
    end
  end

  defp names(vector), do: Enum.sort(vector)

  describe "every combination of" do
    @describetag :root

    @uids [nil, 0, @nobody]
    @groups [nil, {1000, []}, {1000, [2000, 3000]}]
    @iabs [
      nil,
      "",
      "^cap_net_bind_service",
      "%cap_kill",
      "!cap_sys_admin,!cap_net_raw",
      "!%cap_setpcap,^cap_net_raw,!cap_chown"
    ]
    @modes [nil, :nopriv, :pure1e_init, :pure1e, :hybrid]

    for chroot? <- [false, true], mode <- @modes do
      @tag mode: mode, chroot: chroot?
      test "user, groups and IAB, mode #{inspect(mode)}, chroot #{chroot?}", context do
        results =
          for uid <- @uids, groups <- @groups, iab <- @iabs do
            row = %{
              uid: uid,
              groups: groups,
              iab: iab,
              mode: context.mode,
              chroot: context.chroot
            }

            check(row, context)
          end

        assert length(results) == 54
        assert :launched in results
      end
    end

    defp check(row, context) do
      iab = if row.iab, do: elem(IAB.from_text(row.iab), 1), else: IAB.new()
      launcher = settings(row, context)

      case contradiction(row.mode, iab) do
        nil ->
          assert {row, launched(launcher)} == {row, expected(row, iab, context)}
          assert {row, aborted(launcher)} == {row, {:error, :aborted}}
          :launched

        reason ->
          assert {row, Launcher.launch(launcher)} == {row, {:error, {:contradiction, reason}}}
          refute_received {:linx_process, _, _}
          :refused
      end
    end

    # The same, taken back at the checkpoint: nothing has run and nothing is left.
    defp aborted(launcher) do
      answer =
        launcher |> Launcher.callback(&Linx.Process.abort/1) |> piped() |> Launcher.launch()

      assert_received {:linx_process, :ready, host_pid}
      assert_received {:linx_process, :aborted}
      refute_received {:linx_process, _}
      refute_received {:linx_process, _, _}
      refute File.exists?("/proc/#{host_pid}")
      answer
    end

    defp settings(row, context) do
      path = if row.chroot, do: "/observe", else: context.program
      launcher = path |> launcher() |> Launcher.options(cwd: "/")
      launcher = if row.mode, do: Launcher.set_mode(launcher, row.mode), else: launcher
      launcher = if row.iab, do: Launcher.set_iab(launcher, row.iab), else: launcher
      launcher = if row.uid, do: Launcher.set_uid(launcher, row.uid), else: launcher

      launcher =
        if row.chroot, do: Launcher.set_chroot(launcher, context.directory), else: launcher

      case row.groups do
        nil -> launcher
        {gid, groups} -> Launcher.set_groups(launcher, gid, groups)
      end
    end

    # What capabilities(7) and cap_set_mode(3) say, for a program without capabilities of its own.
    defp expected(row, iab, context) do
      {gid, groups} = row.groups || own_groups()
      pure? = row.mode in [:nopriv, :pure1e_init, :pure1e]

      %{
        name: "observer",
        cwd: "/",
        root: if(row.chroot, do: context.directory, else: "/"),
        uids: List.duplicate(row.uid || 0, 4),
        gids: List.duplicate(gid, 4),
        groups: groups,
        securebits: if(pure?, do: @pure_securebits, else: 0),
        no_new_privs: row.mode == :nopriv,
        sets: sets_after(row, iab, pure?)
      }
    end

    defp sets_after(row, iab, pure?) do
      bounding = if row.mode == :nopriv, do: [], else: names(bounding()) -- names(iab.bound)
      inheritable = names(iab.inheritable)
      ambient = names(iab.ambient)
      by_root? = (row.uid || 0) == 0 and not pure?
      held = if by_root?, do: Enum.sort(Enum.uniq(bounding ++ inheritable)), else: ambient
      [held, held, inheritable, bounding, ambient]
    end

    defp contradiction(mode, iab) do
      ambient? = MapSet.size(iab.ambient) > 0
      inheritable? = MapSet.size(iab.inheritable) > 0

      cond do
        ambient? and mode in [:nopriv, :pure1e_init, :pure1e] -> {mode, :ambient}
        inheritable? and mode in [:nopriv, :pure1e_init] -> {mode, :inheritable}
        true -> nil
      end
    end

    defp own_groups do
      status = File.read!("/proc/self/status")
      [_, gid] = Regex.run(~r/^Gid:\t(\d+)/m, status)
      [_, groups] = Regex.run(~r/^Groups:[ \t]*(.*)$/m, status)
      {String.to_integer(gid), groups |> String.split() |> Enum.map(&String.to_integer/1)}
    end
  end

  describe "settings" do
    test "are the caller's own where nothing is set", %{program: program} do
      seen = launched(launcher(program))
      assert seen.name == "observer"
      assert seen.cwd == File.cwd!()
      assert seen.root == "/"
    end

    test "set twice count as set last, and nil takes them back", %{program: program} do
      launcher =
        launcher(program)
        |> Launcher.set_uid(-1)
        |> Launcher.set_uid(nil)
        |> Launcher.set_mode(:nonsense)
        |> Launcher.set_mode(nil)
        |> Launcher.set_iab("nonsense")
        |> Launcher.set_iab(nil)
        |> Launcher.set_chroot(nil)
        |> Launcher.callback(fn _session -> {:error, :first} end)
        |> Launcher.callback(nil)
        |> Launcher.options(tag: :first, stdio: :devnull)
        |> Launcher.options(tag: :second)

      {:ok, session} = Launcher.launch(launcher)
      assert_received {:linx_process, :second, :running}
      :gen_statem.stop(session)
    end

    test "make a value that launches again and again", %{program: program} do
      launcher = launcher(program)
      assert launched(launcher) == launched(launcher)
    end

    @tag :root
    test "take a tuple as well as its text", %{program: program} do
      {:ok, iab} = IAB.from_text("^cap_net_raw")

      seen = launched(launcher(program) |> Launcher.set_uid(@nobody) |> Launcher.set_iab(iab))

      assert hd(seen.sets) == [:cap_net_raw]
    end

    @tag :root
    test "find the program and its directory in the new root", %{directory: directory} do
      seen = launched(launcher("/observe") |> Launcher.set_chroot(directory))
      assert {seen.root, seen.cwd} == {directory, "/"}
    end
  end

  describe "bad input is refused before anything starts" do
    test "whatever the setting", %{program: program} do
      base = launcher(program)

      for {launcher, reason} <- [
            {Launcher.set_uid(base, 4_294_967_295), {:bad_uid, 4_294_967_295}},
            {Launcher.set_uid(base, "root"), {:bad_uid, "root"}},
            {Launcher.set_groups(base, -1, []), {:bad_gid, -1}},
            {Launcher.set_groups(base, 0, [0, :users]), {:bad_gid, :users}},
            {Launcher.set_groups(base, 0, nil), {:bad_gid, nil}},
            {Launcher.set_iab(base, :cap_kill), {:bad_iab, :cap_kill}},
            {Launcher.set_mode(base, :uncertain), {:bad_mode, :uncertain}},
            {Launcher.set_chroot(base, "/\0"), {:bad_path, "/\0"}},
            {Launcher.callback(base, &self/0), {:bad_callback, &self/0}},
            {Launcher.options(base, :pipe), {:bad_options, :pipe}},
            {Launcher.options(base, [1]), {:bad_options, [1]}},
            {Launcher.options(base, caps: []), {:contradiction, {:option, :caps}}},
            {Launcher.options(base, env: []), {:contradiction, {:option, :env}}},
            {Launcher.options(base, argv: []), {:contradiction, {:option, :argv}}},
            {Launcher.options(base, path: ""), {:contradiction, {:option, :path}}},
            {Launcher.options(base, no_such: 1), {:unknown_option, :no_such}},
            {Launcher.new(program, "observer"), :argv_required},
            {Launcher.new(program, [:observer]), {:bad_argv, [:observer]}},
            {Launcher.new(nil, ["observer"]), {:bad_path, nil}},
            {Launcher.new(program, ["observer"], ["A"]), {:bad_env, ["A"]}}
          ] do
        assert Launcher.launch(launcher) == {:error, reason}
        refute_received {:linx_process, _, _}
      end

      assert {:error, %TextError{}} = base |> Launcher.set_iab("^cap_nope") |> Launcher.launch()
    end
  end

  describe "a callback" do
    test "sees the parked child, in the process that launches", %{program: program} do
      test = self()

      seen =
        launcher(program)
        |> Launcher.callback(fn session ->
          {:ok, info} = Linx.Process.info(session)
          send(test, {:seen, self(), info.stage})
          :ok
        end)
        |> piped()
        |> Launcher.launch()

      assert {:ok, session} = seen
      assert_received {:seen, ^test, :ready}
      dismiss(session)
    end

    @tag :root
    test "comes before the settings, and may send verbs of its own", %{program: program} do
      seen =
        launcher(program)
        |> Launcher.callback(fn session ->
          {:ok, pid} = Linx.Process.host_pid(session)
          {:ok, state} = Linx.Capabilities.read(pid)
          assert state.bounding == bounding()
          Linx.Capabilities.drop_bounding(session, [:cap_sys_admin])
        end)
        |> Launcher.set_iab("!cap_net_raw")
        |> launched()

      [_, _, _, bounding, _] = seen.sets
      assert bounding == Enum.sort(bounding()) -- [:cap_net_raw, :cap_sys_admin]
    end

    test "that refuses has the child discarded", %{directory: directory} do
      trace = Path.join(directory, "trace")
      launcher = Launcher.new("/bin/sh", ["sh", "-c", "echo ran > #{trace}"])

      for {answer, reason} <- [
            {{:error, :no_quota}, :no_quota},
            {:error, {:bad_return, :error}},
            {nil, {:bad_return, nil}}
          ] do
        refusing = Launcher.callback(launcher, fn session -> send(self(), session) && answer end)
        assert Launcher.launch(refusing) == {:error, {:callback, reason}}
        assert_received session when is_pid(session)
        refute Process.alive?(session)
        assert_received {:linx_process, :ready, host_pid}
        assert_received {:linx_process, :aborted}
        refute_received {:linx_process, _}
        refute File.exists?("/proc/#{host_pid}")
      end

      refute File.exists?(trace)
    end

    test "that raises, throws or exits has the child discarded", %{program: program} do
      for {kind, fun} <- [
            error: fn _session -> raise "no" end,
            throw: fn _session -> throw("no") end,
            exit: fn _session -> exit("no") end
          ] do
        caught =
          try do
            program |> launcher() |> Launcher.callback(fun) |> Launcher.launch()
          catch
            kind, _reason -> kind
          end

        assert caught == kind
        assert_received {:linx_process, :ready, _host_pid}
        assert_received {:linx_process, :aborted}
      end
    end

    test "that lets the child go itself loses it", %{program: program} do
      for program <- [program, "/bin/true"] do
        launcher = program |> launcher() |> Launcher.options(stdio: :devnull)

        hasty =
          launcher |> Launcher.set_mode(:hybrid) |> Launcher.callback(&Linx.Process.proceed/1)

        assert Launcher.launch(hasty) == {:error, {:callback, :proceeded}}
        assert_receive {:linx_process, :ready, host_pid}, 10_000
        refute Linx.TestWorkloads.alive?(host_pid)
        flush()
      end
    end

    test "that aborts the child itself is taken at its word", %{program: program} do
      aborting = program |> launcher() |> Launcher.callback(&Linx.Process.abort/1)
      assert Launcher.launch(aborting) == {:error, :aborted}
      assert_received {:linx_process, :aborted}
    end
  end

  describe "what the kernel refuses is the answer" do
    test "of a program that is not there", %{directory: directory} do
      launcher = Launcher.new(Path.join(directory, "missing"), ["missing"])
      assert {:error, %Error{stage: :execve, errno: :enoent}} = Launcher.launch(launcher)
      assert_received {:linx_process, :ready, _host_pid}
      assert_received {:linx_process, :error, 2, :execve}
    end

    test "when the session does not linger, too", %{directory: directory} do
      Process.flag(:trap_exit, true)
      launcher = Launcher.new(Path.join(directory, "missing"), ["missing"])
      launcher = Launcher.options(launcher, linger: false)
      assert {:error, %Error{stage: :execve} = error} = Launcher.launch(launcher)
      assert_receive {:EXIT, _session, {:error, ^error}}, 10_000
    end

    test "of a child that cannot be set up", %{program: program} do
      launcher = Launcher.options(launcher(program), stdio: [stdin: {:file, "/no/such/file"}])
      assert {:error, %Error{stage: :stdio, errno: :enoent}} = Launcher.launch(launcher)
    end

    test "of a verb that takes a capability the child has given up", %{program: program} do
      for {setting, value, stage} <- [
            {:set_chroot, "/", :chroot},
            {:set_uid, 4242, :set_uid},
            {:set_iab, "%cap_kill", :set_iab},
            {:set_mode, :pure1e, :set_mode}
          ] do
        launcher =
          launcher(program)
          |> Launcher.callback(fn session ->
            none = [effective: [], permitted: [], inheritable: []]
            Linx.Capabilities.set_thread_sets(session, none)
          end)

        launcher = apply(Launcher, setting, [launcher, value])
        assert {:error, %Error{stage: ^stage, errno: :eperm}} = Launcher.launch(launcher)
        flush()
      end
    end

    @tag :root
    test "of a new root without the program", %{directory: directory} do
      launcher = Launcher.set_chroot(Launcher.new("/bin/true", ["true"]), directory)
      assert {:error, %Error{stage: :execve, errno: :enoent}} = Launcher.launch(launcher)
    end
  end

  test "a launched program is supervised", %{program: program} do
    launcher = program |> launcher() |> Launcher.options(linger: false, stdio: :devnull)

    child = %{
      id: :observer,
      restart: :temporary,
      start: {Launcher, :launch, [Launcher.options(launcher, owner: self())]}
    }

    {:ok, supervisor} = Supervisor.start_link([child], strategy: :one_for_one)
    assert_receive {:linx_process, :running}, 10_000
    :ok = Supervisor.stop(supervisor)
    assert_receive {:linx_process, :signaled, 15}, 10_000
  end

  describe "func/1" do
    test "runs the function on a child that is discarded" do
      test = self()

      try_out = fn session ->
        send(test, {:tried, session, Linx.Process.host_pid(session)})
        :ok
      end

      assert :ok = Linx.Launcher.func(try_out) |> Linx.Launcher.launch()
      assert_received {:tried, session, {:ok, pid}}
      refute Process.alive?(session)
      refute File.exists?("/proc/#{pid}")
      refute_received {:linx_process, _}
    end

    test "tells what the function refuses, and what the kernel does" do
      assert {:error, {:callback, :no}} =
               Linx.Launcher.func(fn _session -> {:error, :no} end) |> Linx.Launcher.launch()

      keep_all = fn session ->
        :ok =
          Linx.Capabilities.set_thread_sets(session, effective: [], permitted: [], inheritable: [])

        Linx.Capabilities.set_ambient(session, [:cap_kill])
      end

      assert {:error, %Linx.Process.Error{stage: :cap_set_ambient, errno: :eperm}} =
               Linx.Launcher.func(keep_all) |> Linx.Launcher.launch()

      assert {:error, {:callback, :proceeded}} =
               Linx.Launcher.func(&Linx.Process.proceed/1) |> Linx.Launcher.launch()
    end

    test "passes on what the function raises" do
      assert_raise RuntimeError, "no", fn ->
        Linx.Launcher.func(fn _session -> raise "no" end) |> Linx.Launcher.launch()
      end
    end
  end
end
