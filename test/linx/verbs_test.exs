defmodule Linx.VerbsTest do
  use ExUnit.Case

  import Linx.TestObserver
  import Linx.TestSessions

  alias Linx.Capabilities
  alias Linx.Capabilities.{IAB, Securebits, TextError}

  doctest Linx.Capabilities.Securebits

  @sleep ["sleep", "60"]
  @nobody 65_534
  @eperm 1
  @enoent 2
  @einval 22

  @keep [:cap_net_bind_service, :cap_net_raw]

  setup_all do
    {directory, program} = build("verbs")
    on_exit(fn -> File.rm_rf!(directory) end)
    %{directory: directory, program: program}
  end

  # The state of an observer after the verbs that `confine` sends.
  defp after_exec(program, confine) do
    {session, _host_pid} = park(argv: [program], stdio: [stdout: :pipe])
    confine.(session)
    run(session)
    seen = observe(session)
    dismiss(session)
    seen
  end

  defp assert_refused(session, expected) do
    # Let go at once: the refusal must win over an exec that was asked for already.
    _ = Linx.Process.proceed(session)
    assert refusal() == expected
  end

  defp powerless(session) do
    :ok = Capabilities.set_thread_sets(session, effective: [], permitted: [], inheritable: [])
  end

  describe "bad values" do
    test "are refused whatever the session, and nothing is sent" do
      {session, host_pid} = park(argv: ["true"])
      before = sets(host_pid)

      for {verb, value, reason} <- [
            {:raise_ambient, [:cap_nope], {:bad_capability, :cap_nope}},
            {:raise_ambient, :cap_kill, {:bad_capability, :cap_kill}},
            {:drop_ambient, [:cap_kill, "cap_kill"], {:bad_capability, "cap_kill"}},
            {:drop_ambient, [:cap_kill | :cap_kill], {:bad_capability, [:cap_kill | :cap_kill]}},
            {:keep_only, [5], {:bad_capability, 5}},
            {:keep_only, nil, {:bad_capability, nil}},
            {:set_securebits, [:noroot, :no_root], {:bad_securebits, :no_root}},
            {:set_securebits, ["noroot"], {:bad_securebits, "noroot"}},
            {:set_securebits, [:noroot | :noroot], {:bad_securebits, [:noroot | :noroot]}},
            {:set_securebits, MapSet.new([1]), {:bad_securebits, 1}},
            {:set_securebits, :noroot, {:bad_securebits, :noroot}},
            {:set_securebits, -1, {:bad_securebits, -1}},
            {:set_securebits, 0x1_0000_0000, {:bad_securebits, 0x1_0000_0000}},
            {:set_securebits, 1.0, {:bad_securebits, 1.0}},
            {:set_mode, :uncertain, {:bad_mode, :uncertain}},
            {:set_mode, "nopriv", {:bad_mode, "nopriv"}},
            {:set_mode, nil, {:bad_mode, nil}},
            {:set_iab, nil, {:bad_iab, nil}},
            {:set_iab, ~c"cap_kill", {:bad_iab, ~c"cap_kill"}},
            {:set_iab, %IAB{ambient: [:cap_nope]}, {:bad_iab, %IAB{ambient: [:cap_nope]}}},
            {:set_iab, %IAB{bound: nil}, {:bad_iab, %IAB{bound: nil}}},
            {:set_chroot, nil, {:bad_path, nil}},
            {:set_chroot, ~c"/", {:bad_path, ~c"/"}},
            {:set_chroot, "/\0", {:bad_path, "/\0"}}
          ] do
        assert {verb, apply(Capabilities, verb, [session, value])} == {verb, {:error, reason}}
        assert apply(Capabilities, verb, [self(), value]) == {:error, reason}
      end

      assert {:error, %TextError{}} = Capabilities.set_iab(session, "^cap_nope")
      assert sets(host_pid) == before
      run(session)
      assert_receive {:linx_process, :exited, 0}, 10_000
    end
  end

  describe "secure bits" do
    @describetag :root

    test "become exactly what was asked, by name or number", %{program: program} do
      for {asked, bits} <- [
            {[], 0},
            {[:noroot], 0x1},
            {MapSet.new([:noroot, :noroot_locked, :no_setuid_fixup]), 0x7},
            {[:no_cap_ambient_raise], 0x40},
            {[:exec_restrict_file, :exec_deny_interactive], 0x500},
            {0xEF, 0xEF},
            # Each execve takes this one off again.
            {[:keep_caps], 0}
          ] do
        seen = after_exec(program, &(:ok = Capabilities.set_securebits(&1, asked)))
        assert {asked, seen.securebits} == {asked, bits}
      end
    end

    test "capsh sees each of them" do
      all = MapSet.difference(Securebits.all(), MapSet.new([:keep_caps, :keep_caps_locked]))
      {session, _pid} = park(argv: ["/usr/sbin/capsh", "--print"], stdio: [stdout: :pipe])
      :ok = Capabilities.set_securebits(session, all)
      run(session)
      {:ok, bits} = Securebits.to_bits(all)
      assert {%{stdout: text}, {:exited, 0}} = Linx.TestWorkloads.collect()
      assert text =~ "/0x#{Integer.to_string(bits, 16) |> String.downcase()}/"
    end

    test "empty the effective set and leave the others" do
      {session, host_pid} = park(argv: @sleep)
      [_effective, permitted, inheritable, bounding, ambient] = sets(host_pid)
      :ok = Capabilities.set_securebits(session, [:noroot])
      assert sets(host_pid) == [[], permitted, inheritable, bounding, ambient]
    end

    test "that are locked cannot change" do
      for {first, second} <- [
            {[:noroot_locked], [:noroot, :noroot_locked]},
            {[:noroot, :noroot_locked], [:noroot]},
            {[], 0x1000}
          ] do
        {session, _host_pid} = park(argv: @sleep)
        :ok = Capabilities.set_securebits(session, first)
        :ok = Capabilities.set_securebits(session, second)
        assert_refused(session, {@eperm, :set_securebits})
      end
    end
  end

  test "secure bits need cap_setpcap" do
    {session, _host_pid} = park(argv: @sleep)
    powerless(session)
    :ok = Capabilities.set_securebits(session, [:noroot])
    assert_refused(session, {@eperm, :set_securebits})
  end

  describe "modes" do
    @describetag :root

    test "are what capsh takes them for" do
      for {mode, name} <- [
            nopriv: "NOPRIV",
            pure1e_init: "PURE1E_INIT",
            pure1e: "PURE1E",
            hybrid: "HYBRID"
          ] do
        {session, _pid} = park(argv: ["/usr/sbin/capsh", "--mode"], stdio: [stdout: :pipe])

        # An empty inheritable set would make it the init of its kind.
        if mode == :pure1e, do: :ok = Capabilities.set_iab(session, "%cap_kill")
        :ok = Capabilities.set_mode(session, mode)
        run(session)
        assert {%{stdout: text}, {:exited, 0}} = Linx.TestWorkloads.collect()
        assert {mode, text} == {mode, "Mode: #{name}\n"}
      end
    end

    test "set and clear what libcap says", %{program: program} do
      own = Enum.sort(bounding())

      for {mode, expected} <- [
            nopriv: {0xEF, true, [[], [], [], [], []]},
            pure1e_init: {0xEF, false, [[], [], [], own, []]},
            pure1e: {0xEF, false, [[], [], [:cap_kill], own, []]},
            hybrid: {0, false, [own, own, [:cap_kill], own, [:cap_kill]]}
          ] do
        seen =
          after_exec(program, fn session ->
            :ok = Capabilities.set_iab(session, "^cap_kill")
            :ok = Capabilities.set_mode(session, mode)
          end)

        assert {mode, {seen.securebits, seen.no_new_privs, seen.sets}} == {mode, expected}
      end
    end

    test "leave nothing to take back" do
      {session, _host_pid} = park(argv: @sleep)
      :ok = Capabilities.set_mode(session, :nopriv)
      :ok = Capabilities.set_mode(session, :hybrid)
      assert_refused(session, {@eperm, :set_mode})
    end
  end

  test "modes need cap_setpcap" do
    {session, _host_pid} = park(argv: @sleep)
    powerless(session)
    :ok = Capabilities.set_mode(session, :pure1e)
    assert_refused(session, {@eperm, :set_mode})
  end

  describe "IAB tuples" do
    @describetag :root

    test "are applied as a text or as a tuple" do
      text = "!cap_chown,^cap_net_raw,!%cap_kill"
      {:ok, tuple} = IAB.from_text(text)

      for iab <- [text, tuple] do
        {session, host_pid} = park(argv: @sleep)
        [effective, permitted, [], own, []] = sets(host_pid)
        :ok = Capabilities.set_iab(session, iab)

        assert sets(host_pid) ==
                 [
                   effective,
                   permitted,
                   [:cap_kill, :cap_net_raw],
                   own -- [:cap_chown, :cap_kill],
                   [:cap_net_raw]
                 ]

        :ok = Linx.Process.abort(session)
      end
    end

    test "replace what was inheritable and ambient, and restore nothing in bounding" do
      {session, host_pid} = park(argv: @sleep)
      :ok = Capabilities.set_iab(session, "^cap_net_raw,!cap_chown")
      :ok = Capabilities.set_iab(session, "%cap_kill")
      assert [_, _, [:cap_kill], bounding, []] = sets(host_pid)
      refute :cap_chown in bounding
      :ok = Capabilities.set_iab(session, "")
      assert [_, _, [], ^bounding, []] = sets(host_pid)
    end

    test "make nobody somebody", %{program: program} do
      seen =
        after_exec(program, fn session ->
          :ok = Capabilities.set_groups(session, @nobody, [])
          :ok = Capabilities.set_uid(session, @nobody)
          :ok = Capabilities.set_iab(session, "^cap_net_bind_service")
        end)

      one = [:cap_net_bind_service]
      assert [^one, ^one, ^one, _bounding, ^one] = seen.sets
      assert seen.uids == List.duplicate(@nobody, 4)
    end
  end

  test "what is not permitted cannot become inheritable" do
    {session, _host_pid} = park(argv: @sleep)
    powerless(session)
    :ok = Capabilities.set_iab(session, "%cap_kill")
    assert_refused(session, {@eperm, :set_iab})
  end

  describe "no_new_privs" do
    test "is set at once and stays", %{program: program} do
      {session, host_pid} = park(argv: [program], stdio: [stdout: :pipe])
      :ok = Capabilities.set_no_new_privs(session)
      {:ok, ^host_pid} = Linx.Process.host_pid(session)
      assert File.read!("/proc/#{host_pid}/status") =~ "NoNewPrivs:\t1"
      run(session)
      assert observe(session).no_new_privs
      dismiss(session)
    end

    @tag :root
    test "every other verb still works after it" do
      {session, host_pid} = park(argv: @sleep)
      :ok = Capabilities.set_no_new_privs(session)
      :ok = Capabilities.set_no_new_privs(session)
      :ok = Capabilities.set_groups(session, @nobody, [])
      :ok = Capabilities.set_uid(session, @nobody)
      :ok = Capabilities.set_iab(session, "^cap_net_raw")
      :ok = Capabilities.set_securebits(session, [:noroot])
      run(session)
      assert [[:cap_net_raw], [:cap_net_raw], [:cap_net_raw], _, [:cap_net_raw]] = sets(host_pid)
    end
  end

  describe "the root directory" do
    @describetag :root

    test "is changed, and the working directory with it", %{directory: directory} do
      {session, host_pid} = park(argv: ["/observe"], stdio: [stdout: :pipe], cwd: "/")
      :ok = Capabilities.set_chroot(session, directory)
      {:ok, ^host_pid} = Linx.Process.host_pid(session)
      assert File.read_link!("/proc/#{host_pid}/cwd") == directory
      run(session)
      assert %{root: ^directory, cwd: "/", name: "/observe"} = observe(session)
      dismiss(session)
    end

    test "can be changed after the user, and the effective set is as before", %{
      directory: directory
    } do
      {session, host_pid} = park(argv: @sleep)
      :ok = Capabilities.set_uid(session, @nobody)
      :ok = Capabilities.set_chroot(session, directory)
      assert [[], [_ | _], _, _, _] = sets(host_pid)
      assert File.read_link!("/proc/#{host_pid}/root") == directory
    end

    test "has to exist" do
      for path <- ["", "/no/such/directory"] do
        {session, _host_pid} = park(argv: @sleep)
        :ok = Capabilities.set_chroot(session, path)
        assert_refused(session, {@enoent, :chroot})
      end
    end
  end

  test "another root directory needs cap_sys_chroot" do
    {session, _host_pid} = park(argv: @sleep)
    powerless(session)
    :ok = Capabilities.set_chroot(session, "/")
    assert_refused(session, {@eperm, :chroot})
  end

  describe "ambient capabilities" do
    @describetag :root

    setup do
      {session, host_pid} = park(argv: @sleep)

      :ok =
        Capabilities.set_thread_sets(session,
          effective: :keep,
          permitted: :keep,
          inheritable: @keep
        )

      %{session: session, host_pid: host_pid}
    end

    test "are raised and dropped one by one", %{session: session, host_pid: host_pid} do
      for {verb, caps, ambient} <- [
            {:raise_ambient, [:cap_net_raw], [:cap_net_raw]},
            {:raise_ambient, [:cap_net_bind_service], @keep},
            {:raise_ambient, MapSet.new(), @keep},
            {:drop_ambient, [:cap_net_raw, :cap_kill], [:cap_net_bind_service]},
            {:drop_ambient, @keep, []}
          ] do
        :ok = apply(Capabilities, verb, [session, caps])
        assert [_, _, @keep, _, ^ambient] = sets(host_pid)
      end
    end

    test "have to be inheritable", %{session: session} do
      :ok = Capabilities.raise_ambient(session, [:cap_kill])
      assert_refused(session, {@eperm, :cap_raise_ambient})
    end

    test "are denied by a secure bit", %{session: session} do
      :ok = Capabilities.set_securebits(session, [:no_cap_ambient_raise])
      :ok = Capabilities.raise_ambient(session, [:cap_net_raw])
      assert_refused(session, {@eperm, :cap_raise_ambient})
    end
  end

  describe "keep_only/2" do
    @describetag :root

    test "leaves root these and no more", %{program: program} do
      for kept <- [@keep, [:cap_net_raw], []] do
        seen = after_exec(program, &(:ok = Capabilities.keep_only(&1, kept)))
        assert seen.sets == [kept, kept, [], kept, []]
        assert seen.uids == [0, 0, 0, 0]
      end
    end

    test "leaves nobody these and no more", %{program: program} do
      for kept <- [@keep, []] do
        seen =
          after_exec(program, fn session ->
            :ok = Capabilities.set_groups(session, @nobody, [])
            :ok = Capabilities.set_uid(session, @nobody)
            :ok = Capabilities.keep_only(session, kept)
          end)

        assert seen.sets == [kept, kept, kept, kept, kept]
        assert seen.uids == List.duplicate(@nobody, 4)
      end
    end

    test "leaves root whose uid means nothing these and no more", %{program: program} do
      seen =
        after_exec(program, fn session ->
          :ok = Capabilities.set_securebits(session, [:noroot])
          :ok = Capabilities.keep_only(session, @keep)
        end)

      assert seen.sets == [@keep, @keep, @keep, @keep, @keep]
    end

    test "gives nothing that was not permitted", %{program: program} do
      seen =
        after_exec(program, fn session ->
          :ok = Capabilities.drop_bounding(session, [:cap_kill])

          :ok =
            Capabilities.set_thread_sets(session,
              effective: [],
              permitted: [:cap_setpcap, :cap_net_raw],
              inheritable: []
            )

          :ok = Capabilities.set_securebits(session, [:noroot])
          :ok = Capabilities.keep_only(session, [:cap_kill | @keep])
        end)

      raw = [:cap_net_raw]
      assert seen.sets == [raw, raw, raw, @keep, raw]
    end

    test "takes away what was inheritable and ambient", %{program: program} do
      seen =
        after_exec(program, fn session ->
          :ok = Capabilities.set_iab(session, "^cap_kill,^cap_net_raw")
          :ok = Capabilities.keep_only(session, [:cap_net_raw])
        end)

      assert seen.sets == [[:cap_net_raw], [:cap_net_raw], [], [:cap_net_raw], []]
    end
  end

  test "keep_only/2 needs cap_setpcap for what is to leave the bounding set" do
    {session, _host_pid} = park(argv: @sleep)
    powerless(session)
    :ok = Capabilities.keep_only(session, [])
    assert_refused(session, {@eperm, :keep_only})
  end

  test "a capability that no kernel has is refused by this one" do
    {session, _host_pid} = park(argv: @sleep)
    :ok = Linx.Process.Session.verb(session, {:drop_ambient, 0x8000_0000_0000_0000})
    assert_refused(session, {@einval, :cap_drop_ambient})
  end
end
