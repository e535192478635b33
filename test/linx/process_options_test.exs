defmodule Linx.ProcessOptionsTest do
  use ExUnit.Case

  import Bitwise, only: [<<<: 2]

  alias Linx.AgentPort

  setup do
    Linx.TestWorkloads.all_quiet()
  end

  # What was refused has started nothing: no session, and no workload.
  defp refused(opts) do
    assert {:error, reason} = Linx.Process.spawn(opts)
    assert {:error, ^reason} = Linx.Process.enter(1, opts)
    assert AgentPort.status().sessions == 0
    refute_received {:linx_process, _, _}
    reason
  end

  defp refused(key, value), do: refused([{:argv, ["true"]}, {key, value}])

  describe "argv:" do
    test "is required, and a list" do
      assert refused([]) == :argv_required
      assert refused(env: []) == :argv_required
      assert refused(argv: nil) == :argv_required
      assert refused(argv: "true") == :argv_required
      assert refused(argv: {"true"}) == :argv_required
    end

    test "options that are no keyword list have none" do
      assert refused(%{argv: ["true"]}) == :argv_required
      assert refused([:argv]) == :argv_required
      assert refused(nil) == :argv_required
      assert refused([{:argv, ["true"]} | :tail]) == :argv_required
    end

    test "has binaries without a zero byte" do
      for argv <- [
            [],
            [nil],
            [~c"true"],
            ["true", 1],
            ["true" | "x"],
            ["tr\0ue"],
            ["true", "a\0"]
          ] do
        assert refused(argv: argv) == {:bad_argv, argv}
      end
    end

    test "does not fit a frame when it could not be executed anyway" do
      argv = ["true", :binary.copy("x", 17 * 1024 * 1024)]
      assert refused(argv: argv) == {:bad_argv, argv}
    end
  end

  test "an unknown option is named, before anything else is looked at" do
    assert refused(argv: ["true"], shell: true) == {:unknown_option, :shell}
    assert refused(argv: [], shell: true, foo: 1) == {:unknown_option, :shell}
    assert refused(argv: [], argv: [], verbs: []) == {:unknown_option, :verbs}
  end

  test "env: is a list of K=V, of pairs, or a map" do
    for env <- [
          nil,
          "A=1",
          ["A"],
          ["=1"],
          [""],
          ["A=1\0"],
          ["A=1" | "B=2"],
          [{"", "1"}],
          [{"A=B", "1"}],
          [{"A", "1\0"}],
          [{"A\0", "1"}],
          [{:a, "1"}],
          [a: "1"],
          %{"A" => 1},
          %{a: "1"},
          1..2
        ] do
      assert refused(:env, env) == {:bad_env, env}
    end
  end

  test "path: is a binary" do
    for path <- [nil, ~c"/bin/true", :program, "/bin/true\0"] do
      assert refused(:path, path) == {:bad_path, path}
    end
  end

  test "cwd: is a binary" do
    for cwd <- [nil, ~c"/tmp", :tmp, "/tmp\0"] do
      assert refused(:cwd, cwd) == {:bad_cwd, cwd}
    end
  end

  test "stdio: is one of its words, or descriptors" do
    for stdio <- [
          nil,
          :pip,
          :stdout,
          {:file, "/tmp/x"},
          [:stdin],
          [stdin: :pty],
          [stdin: :stdout],
          [stdout: :stdout],
          [stdout: :stderr],
          [stdin: nil],
          [stdin: {:file, "/tmp/\0"}],
          [stdin: {:file, ~c"/tmp"}],
          [stdout: {:connect_unix, "\0abstract"}],
          [stdout: {:fd, 3}],
          [stdlog: :pipe],
          [stdin: :pipe, stdin: :pipe, stdlog: :pipe],
          %{stdin: :pipe}
        ] do
      assert refused(:stdio, stdio) == {:bad_stdio, stdio}
    end
  end

  test "owner: is a pid" do
    for owner <- [nil, :init, "pid", make_ref()] do
      assert refused(:owner, owner) == {:bad_owner, owner}
    end
  end

  test "the switches are booleans" do
    for key <- [:linger, :auto_proceed, :kill_tree, :no_new_privs],
        value <- [nil, 1, "true", :yes] do
      assert refused(key, value) == {:"bad_#{key}", value}
    end
  end

  test "orphan_policy: is :linger, or {:kill, ms}" do
    for policy <- [
          nil,
          :kill,
          {:kill, -1},
          {:kill, 1.0},
          {:kill, 1 <<< 32},
          {:kill, :infinity},
          {:linger, 1}
        ] do
      assert refused(:orphan_policy, policy) == {:bad_orphan_policy, policy}
    end
  end

  test "agent: is :shared or :dedicated" do
    for agent <- [nil, :own, self()] do
      assert refused(:agent, agent) == {:bad_agent, agent}
    end
  end

  test "namespaces: names those it does not know" do
    assert refused(:namespaces, [:net, :nat, :pid, "uts"]) == {:bad_namespaces, [:nat, "uts"]}

    for types <- [nil, :net, [:net | :pid], MapSet.new([:net])] do
      assert refused(:namespaces, types) == {:bad_namespaces, types}
    end
  end

  describe "caps:" do
    test "is a keyword list of its three keys" do
      for caps <- [
            nil,
            [:cap_chown],
            %{bounding: []},
            [permitted: []],
            [bounding: [], bounding: [], b: 1]
          ] do
        assert refused(:caps, caps) == {:bad_caps, caps}
      end
    end

    test "has capabilities" do
      assert refused(:caps, bounding: [:cap_nope]) == {:bad_capability, :cap_nope}
      assert refused(:caps, ambient: [:cap_chown, "cap_kill"]) == {:bad_capability, "cap_kill"}
      assert refused(:caps, ambient: :cap_chown) == {:bad_capability, :cap_chown}

      sets = [effective: [], permitted: [:cap_nope], inheritable: []]
      assert refused(:caps, thread_sets: sets) == {:bad_capability, :cap_nope}
    end

    test "has all three thread sets" do
      for key <- [:effective, :permitted, :inheritable] do
        sets = Keyword.delete([effective: [], permitted: [], inheritable: []], key)
        assert refused(:caps, thread_sets: sets) == {:bad_thread_sets, {:missing, key}}
      end
    end
  end

  test "values are looked at in the order of the documentation" do
    assert refused(cwd: 1, stdio: 1, argv: []) == {:bad_argv, []}
    assert refused(cwd: 1, stdio: 1, argv: ["true"]) == {:bad_cwd, 1}
  end

  test "enter/2 wants a pid" do
    for target <- [0, -1, "1", nil, self()] do
      assert_raise FunctionClauseError, fn -> Linx.Process.enter(target, argv: ["true"]) end
    end
  end
end
