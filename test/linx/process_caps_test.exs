defmodule Linx.ProcessCapsTest do
  use ExUnit.Case

  import Linx.TestSessions
  import Linx.TestWorkloads, only: [collect: 0, launch: 1]

  alias Linx.Process.LaunchCaps

  @all_bits 0xFFFF_FFFF_FFFF_FFFF
  @net_bind_service 0x400

  describe "the verbs of caps:" do
    test "come in an order that works" do
      keep = [:cap_net_bind_service]

      caps = [
        ambient: keep,
        thread_sets: [effective: :keep, permitted: keep, inheritable: keep],
        bounding: keep
      ]

      assert LaunchCaps.verbs(caps) ==
               {:ok,
                [
                  {:set_thread_sets, :keep, :keep, @net_bind_service},
                  {:drop_bounding, @all_bits - @net_bind_service},
                  {:set_thread_sets, :keep, @net_bind_service, @net_bind_service},
                  {:set_ambient, @net_bind_service}
                ]}
    end

    test "are only those that were asked for" do
      assert LaunchCaps.verbs([]) == {:ok, []}
      assert LaunchCaps.verbs(bounding: []) == {:ok, [{:drop_bounding, @all_bits}]}
      assert LaunchCaps.verbs(ambient: MapSet.new()) == {:ok, [{:set_ambient, 0}]}

      sets = [effective: :keep, permitted: :keep, inheritable: :keep]

      assert LaunchCaps.verbs(thread_sets: sets) ==
               {:ok, [{:set_thread_sets, :keep, :keep, :keep}]}
    end
  end

  describe "caps:" do
    @describetag :root

    test "are in place when the child is ready" do
      keep = [:cap_net_bind_service]

      {session, pid} =
        park(
          argv: ["sleep", "300"],
          caps: [
            bounding: keep,
            thread_sets: [effective: keep, permitted: keep, inheritable: keep],
            ambient: keep
          ]
        )

      assert sets(pid) == List.duplicate(keep, 5)
      run(session)
      assert sets(pid) == List.duplicate(keep, 5)
    end

    test "may be none at all" do
      none = [effective: [], permitted: [], inheritable: []]
      caps = [bounding: [], thread_sets: none, ambient: []]
      {_session, pid} = launch(argv: ["sleep", "300"], caps: caps)
      assert sets(pid) == List.duplicate([], 5)
    end

    test "make an inheritable capability that the bounding set has no more" do
      keep = [:cap_net_raw]
      sets = [effective: keep, permitted: keep, inheritable: keep]
      {_session, pid} = park(argv: ["true"], caps: [bounding: [], thread_sets: sets])
      assert sets(pid) == [keep, keep, keep, [], []]
    end

    test "work without a checkpoint of one's own" do
      argv = ["grep", "CapBnd", "/proc/self/status"]
      launch(argv: argv, caps: [bounding: []], stdio: :pipe)
      assert {%{stdout: "CapBnd:\t0000000000000000\n"}, {:exited, 0}} = collect()
    end

    test "that the kernel refuses end the session with the verb's stage, and no ready" do
      for {caps, errno, stage} <- [
            {[ambient: [:cap_chown]], 1, :cap_set_ambient},
            {[thread_sets: [effective: [:cap_chown], permitted: [], inheritable: []]], 1,
             :cap_set_thread}
          ] do
        {:ok, session} = Linx.Process.spawn(argv: ["true"], caps: caps)
        assert {:error, %{stage: ^stage, code: ^errno}} = Linx.Process.wait(session)
        assert_received {:linx_process, :error, ^errno, ^stage}
        refute_received {:linx_process, :ready, _}
        assert {:error, :no_process} = Linx.Process.host_pid(session)
      end
    end
  end
end
