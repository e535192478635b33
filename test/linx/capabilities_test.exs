defmodule Linx.CapabilitiesTest do
  use ExUnit.Case, async: true

  import ExUnit.CaptureLog

  alias Linx.Capabilities
  alias Linx.Capabilities.{Constants, Error, State}

  doctest Linx.Capabilities
  doctest Linx.Capabilities.Constants
  doctest Linx.Capabilities.Error
  doctest Linx.Capabilities.State

  @path "/proc/9999/status"
  @status """
  Name:\tcat
  CapInh:\t0000000000000001
  CapPrm:\t0000000000000003
  CapEff:\t0000000000000002
  CapBnd:\t000001ffffffffff
  CapAmb:\t0000000000000000
  NoNewPrivs:\t0
  """

  describe "supported?/0" do
    test "is what /proc says" do
      assert Capabilities.supported?() == (File.read!("/proc/self/status") =~ ~r/^CapBnd:/m)
    end
  end

  describe "read/1" do
    test "gives the sets of the VM as the kernel tells them" do
      {:ok, state} = Capabilities.read(:self)
      text = File.read!("/proc/self/status")

      for {key, set} <- [
            {"CapEff", state.effective},
            {"CapPrm", state.permitted},
            {"CapInh", state.inheritable},
            {"CapBnd", state.bounding},
            {"CapAmb", state.ambient}
          ] do
        [_, hex] = Regex.run(~r/^#{key}:\t([0-9a-f]{16})$/m, text)
        assert Constants.to_bits(set) == String.to_integer(hex, 16)
      end
    end

    test "by pid is the same as :self" do
      assert Capabilities.read(String.to_integer(System.pid())) == Capabilities.read(:self)
    end

    test "reads a process of somebody else" do
      assert {:ok, %State{}} = Capabilities.read(1)
    end

    test "of a pid that does not exist is a structured error" do
      assert Capabilities.read(1_234_567_890) ==
               {:error,
                %Error{
                  path: "/proc/1234567890/status",
                  operation: :read,
                  errno: :enoent,
                  code: 2
                }}
    end

    test "of an integer beyond any pid is the same" do
      assert {:error, %Error{errno: :enoent}} = Capabilities.read(Bitwise.bsl(1, 200))
    end

    test "of a process that has ended is enoent" do
      {pid, 0} = System.cmd("sh", ["-c", "echo $$"])
      pid = pid |> String.trim() |> String.to_integer()
      assert {:error, %Error{errno: :enoent, code: 2}} = Capabilities.read(pid)
    end

    test "takes nothing but a positive integer or :self" do
      for bad <- [0, -1, 1.0, "1", :init, nil, self()] do
        assert_raise FunctionClauseError, fn -> Capabilities.read(bad) end
      end
    end
  end

  describe "parse_status/2" do
    test "finds the five sets" do
      {:ok, state} = Capabilities.parse_status(@status, @path)
      assert Enum.sort(state.inheritable) == [:cap_chown]
      assert Enum.sort(state.permitted) == [:cap_chown, :cap_dac_override]
      assert Enum.sort(state.effective) == [:cap_dac_override]
      assert state.bounding == Constants.all()
      assert state.ambient == MapSet.new()
    end

    test "takes the lines in any order, spaces for tabs and upper-case hex" do
      text =
        @status
        |> String.split("\n")
        |> Enum.reverse()
        |> Enum.join("\n")
        |> String.replace("\t", "   ")
        |> String.replace("1ffffffffff", "1FFFFFFFFFF")

      assert Capabilities.parse_status(text, @path) == Capabilities.parse_status(@status, @path)
    end

    test "wants each of the five lines, once and well-formed" do
      error = {:error, %Error{path: @path, operation: :read, errno: :bad_status, code: nil}}

      for key <- ~w(CapInh CapPrm CapEff CapBnd CapAmb) do
        line = ~r/^#{key}:\t(\w+)\n/m
        assert Capabilities.parse_status(Regex.replace(line, @status, ""), @path) == error

        for bad <- ["#{key}:\t\n", "#{key}:\tzz\n", "#{key}:\t0\n#{key}:\t0\n"] do
          assert Capabilities.parse_status(Regex.replace(line, @status, bad), @path) == error
        end
      end

      assert Capabilities.parse_status("", @path) == error
      assert Capabilities.parse_status(<<255, 0, 10>>, @path) == error
    end

    test "leaves out bits without a name and warns once" do
      text = String.replace(@status, "0000000000000003", "8000020000000003")
      text = String.replace(text, "000001ffffffffff", "ffffffffffffffff")

      log =
        capture_log(fn ->
          {:ok, state} = Capabilities.parse_status(text, @path)
          assert state.bounding == Constants.all()
          assert Enum.sort(state.permitted) == [:cap_chown, :cap_dac_override]
        end)

      assert [_, _] = String.split(log, "capability bits Linx doesn't know about")
      assert log =~ @path
      assert log =~ "0xFFFFFE0000000000"
    end

    test "does not warn of bits it knows" do
      assert capture_log(fn -> Capabilities.parse_status(@status, @path) end) == ""
    end
  end

  describe "the verbs, before anything is sent" do
    # A process that is no session: an answer proves that the input was looked at first.
    setup do
      %{session: spawn(fn -> :ok end)}
    end

    @bad_caps [
      {[:cap_nope], :cap_nope},
      {[:cap_chown, "cap_kill", :cap_nope], "cap_kill"},
      {[:cap_chown | :cap_kill], [:cap_chown | :cap_kill]},
      {[:cap_nope | :cap_kill], :cap_nope},
      {:cap_chown, :cap_chown},
      {"cap_chown", "cap_chown"},
      {nil, nil},
      {12, 12},
      {[12], 12},
      {[[:cap_chown]], [:cap_chown]},
      {%{cap_chown: true}, {:cap_chown, true}},
      {[:CAP_CHOWN], :CAP_CHOWN}
    ]

    test "drop_bounding/2 and set_ambient/2 name what is no capability", %{session: session} do
      for {caps, offender} <- @bad_caps do
        answer = {:error, {:bad_capability, offender}}
        assert Capabilities.drop_bounding(session, caps) == answer
        assert Capabilities.set_ambient(session, caps) == answer
      end
    end

    test "set_thread_sets/2 does, for each of its values", %{session: session} do
      for {caps, offender} <- @bad_caps, key <- [:effective, :permitted, :inheritable] do
        sets = Keyword.put([effective: [], permitted: :keep, inheritable: []], key, caps)
        answer = {:error, {:bad_capability, offender}}
        assert Capabilities.set_thread_sets(session, sets) == answer
      end
    end

    test "set_thread_sets/2 wants all three keys and no other", %{session: session} do
      for {sets, reason} <- [
            {[], {:missing, :effective}},
            {[permitted: [], inheritable: []], {:missing, :effective}},
            {[effective: [], inheritable: []], {:missing, :permitted}},
            {[effective: [], permitted: []], {:missing, :inheritable}},
            {[effective: [], permitted: [:cap_nope]], {:missing, :inheritable}},
            {[effective: [], permitted: [], inheritable: [], ambient: []], {:unknown, :ambient}},
            {%{effective: [], permitted: [], inheritable: []},
             %{effective: [], permitted: [], inheritable: []}},
            {:keep, :keep}
          ] do
        assert Capabilities.set_thread_sets(session, sets) == {:error, {:bad_thread_sets, reason}}
      end
    end

    test "set_groups/3 and set_uid/2 take what the kernel takes as an id", %{session: session} do
      for bad <- [-1, 4_294_967_295, 1.0, "0", :root, nil] do
        assert Capabilities.set_uid(session, bad) == {:error, {:bad_uid, bad}}
        assert Capabilities.set_groups(session, bad, []) == {:error, {:bad_gid, bad}}
        assert Capabilities.set_groups(session, 0, [0, bad]) == {:error, {:bad_gid, bad}}
      end

      for bad <- [nil, 0, [0 | 1], MapSet.new([0])] do
        assert Capabilities.set_groups(session, 0, bad) == {:error, {:bad_gid, bad}}
      end
    end

    test "what is no session at all is a mistake in the program" do
      for bad <- [nil, :session, "pid"] do
        assert_raise FunctionClauseError, fn -> Capabilities.drop_bounding(bad, []) end
        assert_raise FunctionClauseError, fn -> Capabilities.set_ambient(bad, []) end
        assert_raise FunctionClauseError, fn -> Capabilities.set_thread_sets(bad, []) end
        assert_raise FunctionClauseError, fn -> Capabilities.set_groups(bad, 0, []) end
        assert_raise FunctionClauseError, fn -> Capabilities.set_uid(bad, 0) end
      end
    end

    test "a session that is gone is :no_process" do
      session = spawn(fn -> :ok end)
      reference = Process.monitor(session)
      assert_receive {:DOWN, ^reference, :process, ^session, _reason}
      gone = {:error, :no_process}
      keep = [effective: :keep, permitted: :keep, inheritable: :keep]
      assert Capabilities.drop_bounding(session, []) == gone
      assert Capabilities.set_thread_sets(session, keep) == gone
      assert Capabilities.set_ambient(session, []) == gone
      assert Capabilities.set_groups(session, 0, []) == gone
      assert Capabilities.set_uid(session, 0) == gone
    end
  end

  describe "Error" do
    test "is an exception with a message for people" do
      error = Error.from_posix("/proc/9999/status", :read, :enoent)

      assert_raise Error,
                   "capabilities read failed on /proc/9999/status: enoent (errno 2)",
                   fn -> raise error end
    end

    test "keeps an errno without a name" do
      error = Error.from_posix(@path, :read, 4000)
      assert {error.errno, error.code} == {:unknown, 4000}
      assert Exception.message(error) =~ "unknown (errno 4000)"
    end
  end

  describe "State" do
    test "is inspected by size" do
      {:ok, state} = Capabilities.parse_status(@status, @path)
      assert inspect(state) == "#Linx.Capabilities.State<eff=1 prm=2 inh=1 bnd=41 amb=0>"
      assert inspect([state]) == "[#{inspect(state)}]"
    end
  end
end
