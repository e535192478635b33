defmodule Linx.ProcessStateTest do
  # Not async: it moves the place of procfs, and keeps the machine busy.
  use ExUnit.Case

  import Linx.TestSessions
  import Linx.TestWorkloads, only: [agent_pid: 0, collect: 0, eventually: 1]

  alias Linx.Capabilities
  alias Linx.Capabilities.{Constants, Error, IAB, ProcessInfo, Set, State}

  @patience 10_000
  @modes [:hybrid, :pure1e, :pure1e_init, :nopriv]

  describe "names" do
    test "of every capability, in any case, and of numbers" do
      for cap <- Constants.all() do
        bit = Constants.to_bit(cap)
        assert Capabilities.to_name(cap) == {:ok, Atom.to_string(cap)}
        assert Capabilities.to_name(bit) == {:ok, Atom.to_string(cap)}

        for text <- [Atom.to_string(cap), String.upcase("#{cap}"), Integer.to_string(bit)],
            do: assert(Capabilities.from_name(text) == {:ok, cap})
      end
    end

    test "what is none is named, and makes no atom" do
      for text <- [
            "",
            "chown",
            "cap_chown ",
            "cap_chown,cap_kill",
            "010",
            "0xc",
            "-1",
            "41",
            "63",
            "64"
          ] do
        assert Capabilities.from_name(text) == {:error, {:bad_capability, text}}
      end

      for text <- [<<255>>, String.duplicate("cap_chown", 1_000_000)],
          do: assert({:error, {:bad_capability, ^text}} = Capabilities.from_name(text))

      Capabilities.from_name("warm up")
      before = :erlang.system_info(:atom_count)
      for n <- 1..1_000, do: Capabilities.from_name("cap_#{n}")
      assert :erlang.system_info(:atom_count) == before

      for term <- [:cap_nope, nil, 64, -1, "cap_chown"],
          do: assert(Capabilities.to_name(term) == {:error, {:bad_capability, term}})

      assert_raise FunctionClauseError, fn -> Capabilities.from_name(:cap_chown) end
    end

    test "as many as the kernel has" do
      last = File.read!("/proc/sys/kernel/cap_last_cap") |> String.trim() |> String.to_integer()
      assert Capabilities.max_bits() == last + 1
    end
  end

  describe "the place of procfs" do
    setup do
      dir = Path.join(System.tmp_dir!(), "linx-proc-#{System.pid()}")
      sets = "CapInh:\t1\nCapPrm:\t2\nCapEff:\t2\nCapBnd:\t3\nCapAmb:\t0\n"
      who = "Name:\ta\\\\b\\nc\nPPid:\t1\nUid:\t7\t8\t9\t10\nGid:\t0\t0\t0\t0\nGroups:\t \n"

      for name <- ["self", "7", "7/task/9", "8", "sys"] do
        File.mkdir_p!(Path.join(dir, name))
        File.write!(Path.join([dir, name, "status"]), who <> sets)
      end

      File.rm!(Path.join(dir, "8/status"))
      assert Capabilities.proc_root(dir) == "/proc"

      on_exit(fn ->
        Capabilities.proc_root("/proc")
        File.rm_rf!(dir)
      end)

      %{dir: dir}
    end

    test "is where everything is read", %{dir: dir} do
      state = %State{
        effective: MapSet.new([:cap_dac_override]),
        permitted: MapSet.new([:cap_dac_override]),
        inheritable: MapSet.new([:cap_chown]),
        bounding: MapSet.new([:cap_chown, :cap_dac_override])
      }

      assert Capabilities.proc_root() == dir
      assert Capabilities.proc_root("") == dir
      assert Capabilities.read(:self) == {:ok, state}
      assert Capabilities.read(7) == {:ok, state}
      assert Capabilities.read({7, 9}) == {:ok, state}
      assert Capabilities.threads(7) == {:ok, [{9, state}]}
      info = %ProcessInfo{pid: 7, ppid: 1, name: "a\\b\nc", uid: 8, state: state}
      assert Capabilities.list() == {:ok, [info]}
      # A kernel that says nothing of it.
      assert Capabilities.no_new_privs?(7) == {:error, :unknown}
      assert {:error, %Error{path: path, errno: :enoent}} = Capabilities.read(8)
      assert path == dir <> "/8/status"
    end

    test "has to hold what the kernel writes", %{dir: dir} do
      File.write!(Path.join(dir, "7/status"), "Name:\tx\n")
      assert {:error, %Error{errno: :bad_status, path: ^dir}} = Capabilities.list()
      File.rm_rf!(dir)
      assert {:error, %Error{errno: :enoent}} = Capabilities.list()
    end
  end

  describe "threads" do
    test "ours are all there" do
      {:ok, threads} = Capabilities.threads(:self)
      {:ok, state} = Capabilities.read(:self)
      pid = String.to_integer(System.pid())
      assert {pid, state} in threads
      assert length(threads) > 3
      for {tid, state} <- threads, do: assert(Capabilities.read({pid, tid}) == {:ok, state})
      assert Capabilities.threads(pid) == {:ok, threads}
    end

    test "of nobody are an error" do
      assert {:error, %Error{errno: :enoent, path: "/proc/1234567890/task"}} =
               Capabilities.threads(1_234_567_890)

      # A thread, but not of that process.
      {:ok, session} = Linx.Process.spawn(argv: ["true"])
      {:ok, child} = Linx.Process.host_pid(session)

      assert {:error, %Error{errno: :enoent}} =
               Capabilities.read({child, String.to_integer(System.pid())})

      assert_raise FunctionClauseError, fn -> Capabilities.threads(0) end
      assert_raise FunctionClauseError, fn -> Capabilities.read({1, :self}) end
    end

    @tag :root
    test "differ, come and go, and outlive the first" do
      {session, pid, staying} = threads_program()
      {:ok, first} = Capabilities.read(pid)
      {:ok, own} = Capabilities.read({pid, staying})
      assert own == %{first | effective: MapSet.new()}
      assert MapSet.size(first.effective) > 0

      # Until one is seen coming or going, and some more.
      eventually(fn -> length(look_at(pid, {pid, first}, {staying, own})) != 3 end)
      for _ <- 1..300, do: look_at(pid, {pid, first}, {staying, own})

      :ok = Linx.Process.write(session, "\n")
      eventually(fn -> File.read!("/proc/#{pid}/stat") =~ ") Z " end)
      {:ok, threads} = Capabilities.threads(pid)
      assert {staying, own} in threads
      :ok = Linx.Process.signal(session, 9)
    end
  end

  describe "the list" do
    test "has every process that was there all the time" do
      {session, pid} = park(argv: ["true"])
      {:ok, list} = Capabilities.list()
      vm = String.to_integer(System.pid())
      by_pid = Map.new(list, &{&1.pid, &1})
      assert map_size(by_pid) == length(list)
      assert %ProcessInfo{name: name, uid: uid, state: %State{}} = by_pid[vm]
      assert name == String.trim(File.read!("/proc/self/comm"))
      assert uid == File.stat!("/proc/self").uid
      assert Capabilities.read(pid) == {:ok, by_pid[pid].state}
      assert by_pid[pid].ppid == agent_pid()
      :ok = Linx.Process.abort(session)
    end

    test "survives processes that come and go" do
      churn = ["sh", "-c", "while :; do /bin/true; done"]
      churning = for _ <- 1..2, do: park(argv: churn, stdio: :devnull)
      for {session, _pid} <- churning, do: run(session)
      {session, parked} = park(argv: ["true"])
      vm = String.to_integer(System.pid())
      stay = MapSet.new([parked, vm | Enum.map(churning, &elem(&1, 1))])

      listed = fn ->
        assert {:ok, list} = Capabilities.list()
        pids = MapSet.new(list, & &1.pid)
        assert MapSet.subset?(stay, pids)
        pids
      end

      first = listed.()
      eventually(fn -> listed.() != first end)
      for _ <- 1..300, do: listed.()
      :ok = Linx.Process.abort(session)
      for {session, _pid} <- churning, do: :ok = Linx.Process.signal(session, 9)
    end
  end

  describe "libcap's tools see the same" do
    @describetag :root

    test "sets and IAB tuples of parked sessions, as getpcaps shows them" do
      parked = for _ <- 1..60, do: confined()
      pids = Enum.map(parked, fn {_session, pid} -> "#{pid}" end)

      {plain, 0} = System.cmd("getpcaps", pids, stderr_to_stdout: true)
      {with_iab, 0} = System.cmd("getpcaps", ["--iab" | pids], stderr_to_stdout: true)
      lines = Enum.zip(String.split(plain, "\n"), String.split(with_iab, "\n"))
      assert length(lines) == length(pids) + 1

      for {pid, {plain, with_iab}} <- Enum.zip(pids, lines) do
        assert plain == "#{pid}: #{set_text(pid)}"
        # It leaves out a set that is empty, and a tuple that says nothing.
        assert [^pid | texts] =
                 Regex.run(~r/^(\d+):(?: "(.*)")?(?: \[(.*)\])?$/, with_iab,
                   capture: :all_but_first
                 )

        assert Enum.at(texts, 0, "") == String.replace(set_text(pid), ~r/^=$/, "")
        assert Enum.at(texts, 1, "") == iab_text(pid)
      end

      for {session, _pid} <- parked, do: :ok = Linx.Process.abort(session)
    end

    test "the masks of a status, as capsh decodes them" do
      {session, pid} = confined()
      {:ok, state} = Capabilities.read(pid)
      status = File.read!("/proc/#{pid}/status")

      for {key, set} <- [
            {"Eff", :effective},
            {"Prm", :permitted},
            {"Inh", :inheritable},
            {"Bnd", :bounding},
            {"Amb", :ambient}
          ] do
        [_, hex] = Regex.run(~r/^Cap#{key}:\t(.*)$/m, status)
        {output, 0} = System.cmd("capsh", ["--decode=#{hex}"])
        [_, names] = output |> String.trim() |> String.split("=")

        assert MapSet.new(String.split(names, ",", trim: true), &String.to_existing_atom/1) ==
                 Map.fetch!(state, set)
      end

      :ok = Linx.Process.abort(session)
    end

    test "modes, as capsh names them" do
      for mode <- @modes do
        {session, pid} = park(argv: ["capsh", "--mode"], stdio: :pipe)
        {:ok, held} = Capabilities.read(pid)
        some = Enum.take(held.permitted, 1)

        :ok =
          Capabilities.set_thread_sets(session,
            effective: :keep,
            permitted: :keep,
            inheritable: some
          )

        :ok = Capabilities.set_mode(session, mode)
        assert Capabilities.mode(session) == {:ok, mode}
        assert mode_by_capsh(session) == "Mode: #{mode |> Atom.to_string() |> String.upcase()}\n"
      end
    end

    test "secure bits that make no mode" do
      for bits <- [
            [:noroot],
            [:keep_caps_locked, :no_setuid_fixup, :noroot, :no_cap_ambient_raise]
          ] do
        {session, _pid} = park(argv: ["capsh", "--mode"], stdio: :pipe)
        :ok = Capabilities.set_securebits(session, bits)
        assert Capabilities.securebits(session) == {:ok, MapSet.new(bits)}
        assert Capabilities.mode(session) == {:ok, :uncertain}
        assert mode_by_capsh(session) == "Mode: UNCERTAIN\n"
      end
    end
  end

  describe "secure bits, mode and no_new_privs" do
    test "of the VM" do
      {output, 0} = System.cmd("capsh", ["--mode"])
      {:ok, mode} = Capabilities.mode(:self)
      assert output == "Mode: #{mode |> Atom.to_string() |> String.upcase()}\n"
      [_, flag] = Regex.run(~r/^NoNewPrivs:\t(\d)$/m, File.read!("/proc/self/status"))
      assert Capabilities.no_new_privs?(:self) == {:ok, flag == "1"}
      pid = String.to_integer(System.pid())
      assert Capabilities.no_new_privs?({pid, pid}) == {:ok, flag == "1"}
      assert {:ok, %MapSet{}} = Capabilities.securebits(:self)
    end

    test "of a session, as verbs change them" do
      {session, pid} = park(argv: ["sleep", "60"])
      assert Capabilities.no_new_privs?(session) == {:ok, false}
      :ok = Capabilities.set_no_new_privs(session)
      assert Capabilities.no_new_privs?(session) == {:ok, true}
      assert Capabilities.no_new_privs?(pid) == {:ok, true}
      run(session)
      assert Capabilities.no_new_privs?(pid) == {:ok, true}

      for ask <- [&Capabilities.no_new_privs?/1, &Capabilities.mode/1, &Capabilities.securebits/1],
          do: assert(ask.(session) == {:error, :running})

      :ok = Linx.Process.signal(session, 9)
      assert_receive {:linx_process, :signaled, 9}, @patience

      for ask <- [&Capabilities.no_new_privs?/1, &Capabilities.mode/1, &Capabilities.securebits/1],
          do: assert(ask.(session) == {:error, :no_process})
    end

    test "of others: what procfs does not tell is unknown" do
      assert Capabilities.securebits({1, 1}) == {:error, :unknown}
      assert Capabilities.mode(1) == {:error, :unknown}
      assert {:ok, _} = Capabilities.no_new_privs?(1)
      assert {:error, %Error{errno: :enoent}} = Capabilities.no_new_privs?(1_234_567_890)
      assert_raise FunctionClauseError, fn -> Capabilities.securebits(0) end
      assert_raise FunctionClauseError, fn -> Capabilities.mode(:other) end
    end
  end

  defp look_at(pid, first, staying) do
    {:ok, threads} = Capabilities.threads(pid)
    assert first in threads
    assert staying in threads
    threads
  end

  defp threads_program do
    source = Path.expand("../fixtures/threads.c", __DIR__)
    program = Path.join(System.tmp_dir!(), "linx-threads-#{System.pid()}")
    on_exit(fn -> File.rm(program) end)
    {_, 0} = System.cmd("cc", ["-O1", "-pthread", "-o", program, source])
    {session, pid} = park(argv: [program], stdio: :pipe)
    run(session)
    assert_receive {:linx_process, :stdout, tid}, @patience
    {session, pid, tid |> String.trim() |> String.to_integer()}
  end

  # A parked session with sets by chance, of what this machine has.
  defp confined do
    {session, pid} = park(argv: ["true"])
    [inheritable, dropped, permitted] = for _ <- 1..3, do: some(bounding())
    sets = [effective: some(permitted), permitted: permitted, inheritable: :keep]

    :ok =
      Capabilities.set_thread_sets(session,
        effective: :keep,
        permitted: :keep,
        inheritable: inheritable
      )

    :ok = Capabilities.set_ambient(session, some(inheritable))
    :ok = Capabilities.drop_bounding(session, dropped)
    :ok = Capabilities.set_thread_sets(session, sets)
    # Others look at the child as soon as the verbs are applied, and this waits for that.
    {:ok, _state} = Capabilities.read(pid)
    {session, pid}
  end

  defp some(set) do
    case Enum.random(1..4) do
      1 -> MapSet.new()
      2 -> set
      _ -> set |> Enum.filter(fn _ -> Enum.random([true, false]) end) |> MapSet.new()
    end
  end

  defp set_text(pid) do
    {:ok, state} = pid |> String.to_integer() |> Capabilities.read()
    state |> Set.new() |> Set.to_text()
  end

  defp iab_text(pid) do
    {:ok, iab} = pid |> String.to_integer() |> IAB.from_pid()
    IAB.to_text(iab)
  end

  defp mode_by_capsh(session) do
    run(session)
    assert {%{stdout: output}, {:exited, 0}} = collect()
    output
  end
end
