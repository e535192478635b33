defmodule Linx.CapabilitiesSessionTest do
  # Not async: one test stops the agent that all sessions share for a moment.
  use ExUnit.Case

  import Linx.TestSessions

  alias Linx.Capabilities
  alias Linx.Capabilities.Constants

  @sleep ["sleep", "60"]
  @nobody 65_534
  @eperm 1

  @verbs [
    drop_bounding: [[]],
    set_thread_sets: [[effective: :keep, permitted: :keep, inheritable: :keep]],
    set_ambient: [[]],
    set_groups: [@nobody, []],
    set_uid: [@nobody],
    raise_ambient: [[]],
    drop_ambient: [[]],
    keep_only: [[]],
    set_iab: [""],
    set_securebits: [[]],
    set_mode: [:hybrid],
    set_no_new_privs: [],
    set_chroot: ["/"]
  ]

  defp assert_every_verb(session, answer) do
    for {verb, arguments} <- @verbs do
      assert {verb, apply(Capabilities, verb, [session | arguments])} == {verb, answer}
    end
  end

  # Ends as an ordinary user with nothing permitted but `keep`.
  defp become_nobody(session, keep) do
    :ok = Capabilities.set_groups(session, @nobody, [])
    :ok = Capabilities.set_uid(session, @nobody)

    :ok =
      Capabilities.set_thread_sets(session, effective: keep, permitted: keep, inheritable: keep)

    :ok = Capabilities.set_ambient(session, keep)
  end

  defp status_line(pid, key) do
    [_, value] = Regex.run(~r/^#{key}:[ \t]*(.*)$/m, File.read!("/proc/#{pid}/status"))
    String.split(value)
  end

  describe "the states of a session" do
    test "before :ready every verb is :not_ready" do
      {_parked, host_pid} = park(argv: @sleep)
      [agent] = status_line(host_pid, "PPid")
      {_, 0} = System.cmd("kill", ["-STOP", agent])

      session =
        try do
          {:ok, session} = Linx.Process.spawn(argv: @sleep)
          assert_every_verb(session, {:error, :not_ready})
          session
        after
          {_, 0} = System.cmd("kill", ["-CONT", agent])
        end

      assert_receive {:linx_process, :ready, _host_pid}, 10_000
      assert Capabilities.drop_bounding(session, []) == :ok
    end

    test "after proceed/1 every verb is :running" do
      {session, _host_pid} = park(argv: @sleep)
      :ok = Linx.Process.proceed(session)
      assert_every_verb(session, {:error, :running})
      assert_receive {:linx_process, :running}, 10_000
      assert_every_verb(session, {:error, :running})
    end

    test "after an exit every verb is :no_process" do
      {session, _host_pid} = park(argv: ["true"])
      run(session)
      assert_receive {:linx_process, :exited, 0}, 10_000
      assert_every_verb(session, {:error, :no_process})
    end

    test "after a death by signal every verb is :no_process" do
      {session, _host_pid} = park(argv: @sleep)
      run(session)
      :ok = Linx.Process.signal(session, 9)
      assert_receive {:linx_process, :signaled, 9}, 10_000
      assert_every_verb(session, {:error, :no_process})
    end

    test "after abort/1 every verb is :no_process" do
      {session, _host_pid} = park(argv: @sleep)
      :ok = Linx.Process.abort(session)
      assert_receive {:linx_process, :aborted}, 10_000
      assert_every_verb(session, {:error, :no_process})
    end

    test "wrong input is reported whatever the state" do
      {session, _host_pid} = park(argv: ["true"])
      run(session)
      assert_receive {:linx_process, :exited, 0}, 10_000
      bad = {:error, {:bad_capability, :cap_nope}}
      assert Capabilities.drop_bounding(session, [:cap_nope]) == bad
      assert Capabilities.set_ambient(session, [:cap_nope]) == bad

      assert Capabilities.set_thread_sets(session, effective: [], permitted: []) ==
               {:error, {:bad_thread_sets, {:missing, :inheritable}}}
    end

    test "wrong input leaves the session parked as it was" do
      {session, host_pid} = park(argv: ["true"])
      before = sets(host_pid)

      assert {:error, {:bad_capability, :cap_nope}} =
               Capabilities.drop_bounding(session, [:cap_chown, :cap_nope])

      assert sets(host_pid) == before
      run(session)
      assert_receive {:linx_process, :exited, 0}, 10_000
    end
  end

  describe "at the checkpoint" do
    test "a parked child has the sets of the VM" do
      {:ok, session} = Linx.Process.spawn(argv: ["/bin/sh"], stdio: :pty)
      {:ok, host_pid} = Linx.Process.host_pid(session)
      {:ok, state} = Capabilities.read(host_pid)
      {:ok, own} = Capabilities.read(:self)
      assert state.bounding == own.bounding
      assert state.permitted == own.permitted
      assert :ok = Linx.Process.proceed(session)
    end

    test "sets are emptied without any privilege" do
      {session, host_pid} = park(argv: @sleep)
      none = [effective: [], permitted: [], inheritable: []]
      :ok = Capabilities.set_thread_sets(session, none)
      assert [[], [], [], _bounding, []] = sets(host_pid)
    end

    @tag :root
    test "read/1 sees every verb that was sent before it" do
      {session, host_pid} = park(argv: @sleep)

      for cap <- Enum.take(Enum.sort(bounding()), 10) do
        :ok = Capabilities.drop_bounding(session, [cap])
        {:ok, state} = Capabilities.read(host_pid)
        refute MapSet.member?(state.bounding, cap)
      end
    end

    @tag :root
    test ":keep leaves a set as it is" do
      {session, host_pid} = park(argv: @sleep)
      [_effective, permitted, [], bounding, []] = sets(host_pid)
      set = &Capabilities.set_thread_sets(session, &1)

      :ok = set.(effective: :keep, permitted: :keep, inheritable: [:cap_kill])
      assert [_, ^permitted, [:cap_kill], ^bounding, []] = sets(host_pid)
      :ok = set.(effective: [:cap_kill], permitted: :keep, inheritable: :keep)
      assert [[:cap_kill], ^permitted, [:cap_kill], ^bounding, []] = sets(host_pid)
      :ok = set.(effective: :keep, permitted: [:cap_kill], inheritable: [])
      assert [[:cap_kill], [:cap_kill], [], ^bounding, []] = sets(host_pid)
    end

    @tag :root
    test "set_ambient/2 replaces what was ambient" do
      {session, host_pid} = park(argv: @sleep)
      both = [:cap_chown, :cap_kill]

      :ok =
        Capabilities.set_thread_sets(session,
          effective: :keep,
          permitted: :keep,
          inheritable: both
        )

      for caps <- [[:cap_chown], [:cap_kill], both, []] do
        :ok = Capabilities.set_ambient(session, caps)
        assert [_, _, ^both, _, ^caps] = sets(host_pid)
      end
    end

    @tag :root
    test "drops are idempotent, and dropping all leaves none" do
      {session, host_pid} = park(argv: @sleep)
      for _ <- 1..2, do: :ok = Capabilities.drop_bounding(session, Constants.all())
      assert [_, _, [], [], []] = sets(host_pid)
    end

    @tag :root
    test "set_uid/2 keeps the permitted set, set_groups/3 replaces the groups" do
      {session, host_pid} = park(argv: @sleep)
      [_, permitted, [], bounding, []] = sets(host_pid)
      :ok = Capabilities.set_groups(session, 1000, [2000, 3000])
      :ok = Capabilities.set_uid(session, @nobody)
      assert [[], ^permitted, [], ^bounding, []] = sets(host_pid)
      run(session)
      assert status_line(host_pid, "Uid") == List.duplicate("65534", 4)
      assert status_line(host_pid, "Gid") == List.duplicate("1000", 4)
      assert status_line(host_pid, "Groups") == ["2000", "3000"]
    end
  end

  describe "after execve the workload has what was asked" do
    @describetag :root

    setup do
      [keep: [:cap_net_bind_service]]
    end

    test "root, all but one dropped", %{keep: keep} do
      {session, host_pid} = park(argv: @sleep)
      :ok = Capabilities.drop_bounding(session, all_but(keep))
      run(session)
      assert sets(host_pid) == [keep, keep, [], keep, []]
    end

    test "root, thread sets narrowed after the drops", %{keep: keep} do
      {session, host_pid} = park(argv: @sleep)
      :ok = Capabilities.drop_bounding(session, all_but(keep))

      :ok =
        Capabilities.set_thread_sets(session, effective: keep, permitted: keep, inheritable: [])

      assert sets(host_pid) == [keep, keep, [], keep, []]
      run(session)
      assert sets(host_pid) == [keep, keep, [], keep, []]
    end

    test "root, everything dropped" do
      {session, host_pid} = park(argv: @sleep)
      :ok = Capabilities.drop_bounding(session, Constants.all())
      :ok = Capabilities.set_thread_sets(session, effective: [], permitted: [], inheritable: [])
      run(session)
      assert sets(host_pid) == [[], [], [], [], []]
    end

    test "root, the three thread sets emptied: execve gives all of bounding back" do
      {session, host_pid} = park(argv: @sleep)
      :ok = Capabilities.set_thread_sets(session, effective: [], permitted: [], inheritable: [])
      run(session)
      allowed = Enum.sort(bounding())
      assert sets(host_pid) == [allowed, allowed, [], allowed, []]
    end

    test "root, ambient one", %{keep: keep} do
      {session, host_pid} = park(argv: @sleep)
      :ok = Capabilities.drop_bounding(session, all_but(keep))

      :ok =
        Capabilities.set_thread_sets(session, effective: keep, permitted: keep, inheritable: keep)

      :ok = Capabilities.set_ambient(session, keep)
      run(session)
      assert sets(host_pid) == [keep, keep, keep, keep, keep]
    end

    test "an ordinary user, all but one dropped", %{keep: keep} do
      {session, host_pid} = park(argv: @sleep)
      :ok = Capabilities.drop_bounding(session, all_but(keep))
      become_nobody(session, [])
      run(session)
      assert sets(host_pid) == [[], [], [], keep, []]
    end

    test "an ordinary user, ambient one", %{keep: keep} do
      {session, host_pid} = park(argv: @sleep)
      :ok = Capabilities.drop_bounding(session, all_but(keep))
      become_nobody(session, keep)
      assert sets(host_pid) == [keep, keep, keep, keep, keep]
      run(session)
      assert sets(host_pid) == [keep, keep, keep, keep, keep]
      assert status_line(host_pid, "Uid") == List.duplicate("65534", 4)
      assert status_line(host_pid, "Groups") == []
    end

    test "an ordinary user, the three thread sets emptied" do
      {session, host_pid} = park(argv: @sleep)
      become_nobody(session, [])
      run(session)
      assert sets(host_pid) == [[], [], [], Enum.sort(bounding()), []]
    end
  end

  describe "a file with capabilities of its own" do
    @describetag :root

    setup do
      directory = Path.join(System.tmp_dir!(), "linx-filecaps-#{System.pid()}")
      File.mkdir!(directory)
      on_exit(fn -> File.rm_rf!(directory) end)
      program = Path.join(directory, "sleep")
      File.cp!(System.find_executable("sleep"), program)
      %{program: program}
    end

    defp set_file_caps(program, text) do
      assert {_, 0} = System.cmd("/usr/sbin/setcap", [text, program])
    end

    test "gets them where bounding allows it", %{program: program} do
      set_file_caps(program, "cap_kill+ep")
      {session, host_pid} = park(argv: [program, "60"])
      become_nobody(session, [])
      run(session)
      assert [[:cap_kill], [:cap_kill], [], _bounding, []] = sets(host_pid)
    end

    test "is denied them by the bounding set", %{program: program} do
      set_file_caps(program, "cap_kill+p")
      {session, host_pid} = park(argv: [program, "60"])
      :ok = Capabilities.drop_bounding(session, [:cap_kill])
      become_nobody(session, [])
      run(session)
      [[], [], [], bounding, []] = sets(host_pid)
      refute :cap_kill in bounding
    end

    test "that insists on them is not run at all", %{program: program} do
      set_file_caps(program, "cap_kill+ep")
      {session, _host_pid} = park(argv: [program, "60"])
      :ok = Capabilities.drop_bounding(session, [:cap_kill])
      become_nobody(session, [])
      :ok = Linx.Process.proceed(session)
      assert refusal() == {@eperm, :execve}
    end
  end

  describe "what the kernel refuses ends the session before it runs" do
    defp assert_refused(session, stage) do
      # Let go at once: the refusal must win over an exec that was asked for already.
      _ = Linx.Process.proceed(session)
      assert refusal() == {@eperm, stage}
      assert_every_verb(session, {:error, :no_process})
      assert Linx.Process.proceed(session) == {:error, :no_process}
      refute_receive {:linx_process, _}, 50
    end

    test "a permitted capability once given up" do
      {session, _host_pid} = park(argv: @sleep)
      none = [effective: [], permitted: [], inheritable: []]
      :ok = Capabilities.set_thread_sets(session, none)
      :ok = Capabilities.set_thread_sets(session, Keyword.put(none, :permitted, [:cap_kill]))
      assert_refused(session, :cap_set_thread)
    end

    test "effective beyond permitted" do
      {session, _host_pid} = park(argv: @sleep)
      beyond = [effective: [:cap_kill], permitted: [], inheritable: []]
      :ok = Capabilities.set_thread_sets(session, beyond)
      assert_refused(session, :cap_set_thread)
    end

    @tag :root
    test "inheriting what left the bounding set" do
      {session, _host_pid} = park(argv: @sleep)
      :ok = Capabilities.drop_bounding(session, [:cap_kill])

      :ok =
        Capabilities.set_thread_sets(session,
          effective: :keep,
          permitted: :keep,
          inheritable: [:cap_kill]
        )

      assert_refused(session, :cap_set_thread)
    end

    test "ambient without inheritable" do
      {session, _host_pid} = park(argv: @sleep)
      :ok = Capabilities.set_ambient(session, [:cap_net_bind_service])
      assert_refused(session, :cap_set_ambient)
    end

    test "dropping from bounding without cap_setpcap" do
      {session, _host_pid} = park(argv: @sleep)

      :ok =
        Capabilities.set_thread_sets(session, effective: [], permitted: :keep, inheritable: [])

      :ok = Capabilities.drop_bounding(session, [:cap_chown])
      assert_refused(session, :cap_drop_bounding)
    end

    test "another group without cap_setgid" do
      {session, _host_pid} = park(argv: @sleep)
      :ok = Capabilities.set_thread_sets(session, effective: [], permitted: [], inheritable: [])
      :ok = Capabilities.set_groups(session, 4242, [4243])
      assert_refused(session, :set_groups)
    end

    test "another user without cap_setuid" do
      {session, _host_pid} = park(argv: @sleep)
      :ok = Capabilities.set_thread_sets(session, effective: [], permitted: [], inheritable: [])
      :ok = Capabilities.set_uid(session, 4242)
      assert_refused(session, :set_uid)
    end
  end
end
