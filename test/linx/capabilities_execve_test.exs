defmodule Linx.Capabilities.ExecveTest do
  use ExUnit.Case, async: true

  alias Linx.Capabilities.{Error, Execve, Set, State, TextError}

  doctest Linx.Capabilities.Execve

  @raw MapSet.new([:cap_net_raw])
  @none MapSet.new()

  defp scratch(name) do
    dir = Path.join(System.tmp_dir!(), "linx-execve-#{name}-#{System.pid()}")
    File.mkdir_p!(dir)
    on_exit(fn -> File.rm_rf!(dir) end)
    dir
  end

  describe "who executes" do
    test "an id that is not given is as the one before it" do
      setgid = [mode: 0o2755, gid: 7]
      changed? = fn opts -> applied?(%State{ambient: @raw}, setgid, :id_changed, opts) end
      assert changed?.(uid: 5, gid: 5)
      refute changed?.(uid: 5, gid: 5, egid: 7)
      refute changed?.(uid: 5, gid: 5, fsgid: 7)
      refute changed?.(uid: 5, gid: 5, groups: [6, 7])
      assert changed?.(gid: 7, egid: 5)
      refute changed?.(gid: 7)
    end

    test "the kernel's version counts" do
      opts = [uid: 5, euid: 6]
      refute applied?(%State{}, [], :id_changed, [kernel: {6, 16}] ++ opts)
      assert applied?(%State{}, [], :id_changed, [kernel: {6, 15}] ++ opts)
      assert applied?(%State{}, [], :id_changed, [kernel: {5, 99}] ++ opts)
      few = [caps: "cap_checkpoint_restore+p"]
      state = %State{bounding: MapSet.new([:cap_checkpoint_restore])}
      assert {:ok, %{permitted: permitted}} = Execve.predict(state, few, uid: 1, max_bits: 40)
      assert permitted == @none
    end

    test "restraints" do
      setuid = [mode: 0o4755]
      state = %State{permitted: @raw, bounding: MapSet.put(@raw, :cap_kill)}
      assert {:ok, %{permitted: @raw}} = Execve.predict(state, setuid, uid: 5, shared_fs: true)

      assert {:ok, %{permitted: @raw}} =
               Execve.predict(state, setuid, uid: 5, weakly_traced: true)

      assert {:ok, %{permitted: @none}} =
               Execve.predict(state, setuid, uid: 5, no_new_privs: true)

      assert {:ok, %{permitted: @none}} = Execve.predict(state, setuid, uid: 5, securebits: 1)
      assert {:ok, %{permitted: @none}} = Execve.predict(state, [], securebits: [:noroot])
    end

    test "bad options are named" do
      predict = &Execve.predict(%State{}, [], &1)
      assert predict.(suid: 0) == {:error, {:unknown_option, :suid}}
      assert predict.(:uid) == {:error, {:bad_options, :uid}}

      for option <- [
            uid: -1,
            euid: 0xFFFF_FFFF,
            gid: "0",
            groups: [1 | 2],
            groups: [nil],
            groups: 7,
            securebits: [:nope],
            no_new_privs: nil,
            shared_fs: 1,
            kernel: 6,
            kernel: {6, -1},
            max_bits: 65
          ] do
        assert predict.([option]) == {:error, {:bad_option, option}}
      end

      odd = %State{effective: MapSet.new([:cap_nope])}
      assert Execve.predict(odd, []) == {:error, {:bad_capability, :cap_nope}}
    end
  end

  describe "what is executed" do
    test "a description, as map or keyword list" do
      state = %State{bounding: @raw, inheritable: @raw, ambient: @raw}
      {:ok, set} = Set.from_text("cap_net_raw=eip")

      for caps <- ["cap_net_raw+eip", set] do
        assert {:ok, %{effective: @raw, ambient: @none}} =
                 Execve.predict(state, %{caps: caps}, uid: 5)
      end

      assert {:ok, %{ambient: @none}} = Execve.predict(state, [caps: ""], uid: 5)
      assert {:ok, %{ambient: @raw}} = Execve.predict(state, [caps: nil], uid: 5)
      assert {:ok, %{ambient: @raw}} = Execve.predict(state, [caps: "", nosuid: true], uid: 5)

      assert {:ok, %{ambient: @raw}} =
               Execve.predict(state, [caps: "", foreign_namespace: true], uid: 5)

      assert {:ok, %{ambient: @raw}} = Execve.predict(state, [caps: %{set | ns_owner: 9}], uid: 5)
    end

    test "bad descriptions are named" do
      predict = &Execve.predict(%State{}, &1)
      assert predict.(name: "x") == {:error, {:unknown_file_key, :name}}
      assert predict.(%{"mode" => 1}) == {:error, {:unknown_file_key, "mode"}}
      assert predict.(:file) == {:error, {:bad_file, :file}}
      assert predict.([1]) == {:error, {:bad_file, [1]}}
      assert predict.(%State{}) == {:error, {:bad_file, %State{}}}
      assert predict.(mode: 0o10000) == {:error, {:bad_file, {:mode, 0o10000}}}
      assert predict.(uid: -1) == {:error, {:bad_file, {:uid, -1}}}
      assert predict.(nosuid: nil) == {:error, {:bad_file, {:nosuid, nil}}}
      assert predict.(caps: [:cap_kill]) == {:error, {:bad_file, {:caps, [:cap_kill]}}}
      assert {:error, %TextError{}} = predict.(caps: "cap_nope+ep")
      assert {:error, {:bad_file, {:caps, %Set{}}}} = predict.(caps: "cap_kill+ep cap_chown+p")
    end

    test "a path that leads to no file" do
      dir = scratch("nofile")
      error = fn path -> Execve.predict(%State{}, path) |> elem(1) end

      assert %Error{operation: :execve, errno: :enoent, path: "/nowhere"} = error.("/nowhere")
      assert %Error{errno: :eacces} = error.(dir)
      assert %Error{errno: :eacces} = error.("/dev/null")
      assert %Error{errno: :einval} = error.("/bin/true\0")
      assert %Error{errno: :enoent} = error.("")
      loop = Path.join(dir, "loop")
      File.write!(loop, "#!#{loop}\n")
      assert %Error{errno: :eloop} = error.(loop)
    end

    test "a script counts as its interpreter, and says so" do
      script = Path.join(scratch("script"), "script")
      File.write!(script, "#! /bin/mount -x\n")
      File.chmod!(script, 0o6755)
      opts = [uid: 5, gid: 5]
      state = %State{bounding: @raw}
      {:ok, of_script} = Execve.explain(state, script, opts)
      {:ok, of_program} = Execve.explain(state, "/bin/mount", opts)
      assert of_script.interpreters == ["/bin/mount"]
      assert %{of_script | interpreters: []} == of_program
      assert to_string(of_script) == "a script: the rights of /bin/mount count\n#{of_program}"
    end
  end

  describe "the account" do
    test "tells why the kernel refuses" do
      file = [caps: "cap_net_raw,cap_kill,cap_chown+ep"]
      {:ok, account} = Execve.explain(%State{bounding: @raw}, file, uid: 5)
      assert account.result == {:error, :eperm}
      assert account.missing == MapSet.new([:cap_kill, :cap_chown])
      assert {account.uid, account.gid, account.secure_exec?} == {nil, nil, nil}
      assert %{rule: :insufficient, applied?: true} = List.last(account.rules)

      assert to_string(account) =~
               ~r/\nexecve fails with EPERM; missing: cap_chown,cap_kill\n\z/
    end

    test "has every rule in its order, with the results so far" do
      state = %State{bounding: @raw, ambient: @raw}
      {:ok, account} = Execve.explain(state, [mode: 0o4755, uid: 9], uid: 5)

      assert Enum.map(account.rules, & &1.rule) ==
               ~w(untrusted_mount set_id_forbidden set_uid set_gid foreign_rootid file_permitted
                  insufficient file_caps_over_root root_permitted root_effective id_changed downgrade
                  downgrade_ids ambient_cleared ambient_added effective_raised secure_exec)a

      by_name = Map.new(account.rules, &{&1.rule, &1})
      assert {by_name.set_id_forbidden.euid, by_name.set_uid.euid} == {5, 9}
      assert {by_name.downgrade.ambient, by_name.ambient_cleared.ambient} == {@raw, @none}
      assert account.securebits == @none
      assert account.uid == {5, 9}
      assert to_string(account) =~ "\nuid 5, effective 9, gid 0\npermitted   none\n"
      assert to_string(account) =~ "\nbounding    cap_net_raw\n"
    end

    test "names of sets are short" do
      all = Linx.Capabilities.Constants.all()
      state = %State{bounding: all, inheritable: MapSet.delete(all, :cap_bpf)}
      {:ok, account} = Execve.explain(state, [], uid: 5)
      assert to_string(account) =~ "\ninheritable all but cap_bpf\nbounding    all\n"
    end
  end

  defp applied?(state, file, rule, opts) do
    {:ok, account} = Execve.explain(state, file, opts)
    Enum.find(account.rules, &(&1.rule == rule)).applied?
  end
end
