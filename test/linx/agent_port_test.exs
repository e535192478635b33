defmodule Linx.AgentPortTest do
  use ExUnit.Case

  import ExUnit.CaptureLog
  import Linx.TestWorkloads, only: [alive?: 1, eventually: 1, members_of: 1]

  alias Linx.AgentPort
  alias Linx.AgentPort.{Frame, Leftovers, Sessions, Unsettled}

  doctest Linx.AgentPort

  describe "an agent that cannot be had" do
    @describetag :tmp_dir

    test "because it is not there" do
      assert {{:error, 127, :agent_died}, log} = register("/no/such/agent")
      assert log =~ "cannot start the agent /no/such/agent: :enoent"
    end

    test "because it may not be executed", %{tmp_dir: dir} do
      path = Path.join(dir, "agent")
      File.write!(path, "no program")
      assert {{:error, 126, :agent_died}, log} = register(path)
      assert log =~ "cannot start the agent #{path}: :eacces"
    end

    test "because it ends", %{tmp_dir: dir} do
      path = script(dir, "exit 3")
      assert {{:error, 3, :agent_died}, log} = register(path)
      assert log =~ "ended with status 3 before it said hello"
    end

    test "because it speaks another protocol", %{tmp_dir: dir} do
      assert {{:error, 71, :protocol}, log} = register(saying(dir, {:hello, 2, "9.9", %{}}))
      assert log =~ "agent \"9.9\" speaks protocol 2, not 1"
    end

    test "because it is no agent", %{tmp_dir: dir} do
      assert {{:error, 71, :protocol}, log} = register(saying(dir, {:running, 1}))
      assert log =~ "does not say hello"

      assert {{:error, 71, :protocol}, log} =
               register(script(dir, "printf '\\0\\0\\0\\1x' >&4; sleep 1"))

      assert log =~ "does not say hello"
    end

    # The answer to a session's request, and what was logged. The port's owner stays.
    defp register(path) do
      {:ok, server} = AgentPort.start_link(name: nil, path: path)

      log =
        capture_log(fn ->
          :wait = AgentPort.join(server, self(), 5000)
          assert_receive {:linx_agent, answer}, 5_000
          send(self(), {:answer, answer})
        end)

      assert_received {:answer, answer}
      assert %{stage: :closed, os_pid: nil, sessions: 0} = AgentPort.status(server)
      GenServer.stop(server)
      {answer, log}
    end

    defp saying(dir, term) do
      bytes = :erlang.term_to_binary(term)
      path = Path.join(dir, "frame")
      File.write!(path, [<<byte_size(bytes)::32>>, bytes])
      script(dir, "cat #{path} >&4; sleep 1")
    end

    defp script(dir, text) do
      path = Path.join(dir, "agent.sh")
      File.write!(path, "#!/bin/sh\n#{text}\n")
      File.chmod!(path, 0o755)
      path
    end
  end

  describe "a real agent" do
    setup do
      {:ok, server} = AgentPort.start_link(name: nil)
      %{server: server}
    end

    test "is started by the first session, not before", %{server: server} do
      assert %{stage: :closed, os_pid: nil} = AgentPort.status(server)
      AgentPort.join(server, self(), nil)
      assert_receive {:linx_agent, {:registered, id, port, cwd}}, 5_000
      assert is_integer(id) and is_port(port) and cwd == File.cwd!()
      assert %{stage: :open, os_pid: pid, sessions: 1} = AgentPort.status(server)
      assert File.dir?("/proc/#{pid}")
    end

    test "gives every session an id of its own", %{server: server} do
      for _ <- 1..10, do: AgentPort.join(server, self(), nil)

      ids =
        for _ <- 1..10 do
          assert_receive {:linx_agent, {:registered, id, _port, _cwd}}, 5_000
          id
        end

      assert Enum.uniq(ids) == ids
      assert %{sessions: 10} = AgentPort.status(server)
    end

    test "answers a bad spec by an error of the session", %{server: server} do
      AgentPort.join(server, self(), nil)
      assert_receive {:linx_agent, {:registered, id, port, _cwd}}, 5_000
      assert :ok = AgentPort.command(port, {:spawn, id, %{}})
      assert_receive {:linx_agent, {:error, 22, :protocol}}, 5_000
      assert %{sessions: 0} = AgentPort.status(server)
    end

    test "answers a frame that it does not understand, and goes on", %{server: server} do
      AgentPort.join(server, self(), nil)
      assert_receive {:linx_agent, {:registered, id, port, _cwd}}, 5_000

      log =
        capture_log(fn ->
          Port.command(port, "no term")
          AgentPort.command(port, {:proceed, id})
          assert_receive {:linx_agent, {:fault, :unknown_session}}, 5_000
        end)

      assert log =~ "the agent refused a frame: malformed"
    end

    test "ends what another agent left, and no session that came later", %{server: server} do
      AgentPort.join(server, self(), nil)
      assert_receive {:linx_agent, {:registered, id, port, _cwd}}, 5_000
      # Programs behind ports lead sessions of their own.
      sleep = Port.open({:spawn_executable, System.find_executable("sleep")}, args: ["300"])
      {:os_pid, pid} = Port.info(sleep, :os_pid)
      on_exit(fn -> System.cmd("kill", ["-KILL", "#{pid}"], stderr_to_stdout: true) end)
      eventually(fn -> members_of(pid) == [pid] end)
      Process.sleep(50)
      AgentPort.command(port, {:kill_leftover, pid, 0, 60_000})
      AgentPort.command(port, {:sync, id})
      assert_receive {:linx_agent, {:fault, :unknown_session}}, 5_000
      assert members_of(pid) == [pid]
      AgentPort.command(port, {:kill_leftover, pid, 0, 0})
      eventually(fn -> members_of(pid) == [] end)
    end

    test "goes when its owner goes", %{server: server} do
      AgentPort.join(server, self(), nil)
      assert_receive {:linx_agent, {:registered, _id, port, _cwd}}, 5_000
      %{os_pid: pid} = AgentPort.status(server)
      GenServer.stop(server)
      assert :closed = AgentPort.command(port, {:sync, 1})
      eventually(fn -> not alive?(pid) end)
    end
  end

  test "stray messages are logged and ignored" do
    {:ok, server} = AgentPort.start_link(name: nil)

    log =
      capture_log(fn ->
        send(server, :what)
        assert %{stage: :closed} = AgentPort.status(server)
      end)

    assert log =~ "ignoring unexpected message :what"
  end

  describe "frames" do
    @golden Path.expand("../../native/linx-agent/tests/golden", __DIR__)

    test "of the agent are all understood" do
      for {term, [bytes]} <- golden("events.txt") do
        assert :erlang.binary_to_term(bytes) == term
        assert {:ok, decoded} = Frame.decode(bytes)
        assert told(decoded) == term
      end
    end

    test "to the agent are what it expects" do
      for {command, variants} <- golden("commands.txt") do
        bytes = command |> Frame.encode() |> IO.iodata_to_binary()
        assert :erlang.binary_to_term(bytes) == command
        # The order of a map's keys is the VM's own affair.
        unless elem(command, 0) == :spawn, do: assert(bytes in variants)
      end
    end

    test "that say nothing known are errors, and make no atom" do
      unknown = <<131, 104, 2, 119, 20, "an_atom_nobody_knows", 97, 1>>

      for bytes <-
            ["", "x", <<131>>, unknown] ++
              Enum.map(
                [
                  1,
                  {},
                  {:exited},
                  {:exited, 1},
                  {:exited, :x, 1},
                  {:what, 1},
                  {:output, 1, :log, ""}
                ],
                &:erlang.term_to_binary/1
              ) do
        assert Frame.decode(bytes) == :error
      end
    end

    # Lines of a term and, indented, its encodings in hex.
    defp golden(name) do
      Path.join(@golden, name)
      |> File.read!()
      |> String.split("\n", trim: true)
      |> Enum.reject(&String.starts_with?(&1, "%"))
      |> Enum.chunk_while([], &gather/2, &{:cont, Enum.reverse(&1), []})
      |> Enum.reject(&(&1 == []))
      |> Enum.map(fn [term | hex] -> {parse(term), Enum.map(hex, &bytes/1)} end)
    end

    defp gather("  " <> _ = hex, lines), do: {:cont, [hex | lines]}
    defp gather(term, lines), do: {:cont, Enum.reverse(lines), [term]}

    defp bytes(hex), do: hex |> String.trim() |> Base.decode16!(case: :lower)

    defp parse(text) do
      {:ok, tokens, _} = text |> String.to_charlist() |> :erl_scan.string()
      {:ok, term} = :erl_parse.parse_term(tokens)
      term
    end

    # A decoded frame, put together again.
    defp told({:hello, _, _, _} = hello), do: hello
    defp told({:refused, reason}), do: {:fault, :none, reason}
    defp told({_kind, id, event}) when is_atom(event), do: {event, id}
    defp told({_kind, id, event}), do: Tuple.insert_at(event, 1, id)
  end

  test "what is left of a dead agent are children with a kill policy" do
    sessions = Sessions.add(%Sessions{}, 1, self(), 100)
    sessions = Sessions.add(sessions, 2, self(), nil)
    sessions = Sessions.add(sessions, 3, self(), 300)
    sessions = sessions |> Sessions.ready(1, 11) |> Sessions.ready(2, 12)
    assert {[_, _, _], [{11, 100}], empty} = Sessions.clear(sessions)
    assert Sessions.count(empty) == 0
  end

  test "a session that has told its end is known by its id and its process" do
    words = {self(), :lost}
    sessions = Sessions.add(%Sessions{}, 1, self(), nil, words)
    other = spawn(fn -> :ok end)
    assert Sessions.told(sessions, 1, other) == sessions
    assert Sessions.told(sessions, 2, self()) == sessions
    assert [%{last_words: nil}] = sessions |> Sessions.told(1, self()) |> Sessions.entries()
    assert [%{last_words: nil}] = sessions |> Sessions.told(nil, self()) |> Sessions.entries()
    ended = Sessions.ended(sessions, 1)
    assert {0, [%{last_words: ^words}]} = {Sessions.count(ended), Sessions.entries(ended)}
    assert Sessions.told(ended, 1, other) == ended
    assert Sessions.told(ended, 1, self()) == %Sessions{}
    assert Sessions.told(ended, nil, self()) == %Sessions{}
  end

  test "what is left of dead agents is told to five, until it has had its grace" do
    left = Leftovers.new([{11, 60_000}, {12, 0}])

    assert {[{:kill_leftover, 11, 60_000, _}, {:kill_leftover, 12, 0, _}], left} =
             Leftovers.hand_over(left)

    left =
      for _ <- 1..4, reduce: left do
        left ->
          assert {left, []} = Leftovers.agent_lost(left)
          assert {[{:kill_leftover, 11, grace, ago} | _], left} = Leftovers.hand_over(left)
          assert grace in 1..60_000 and ago >= 0
          left
      end

    assert {[], [11 | _]} = Leftovers.agent_lost(left)
    past = for entry <- left, do: %{entry | due: entry.due - 120_000}
    assert {[], []} = Leftovers.agent_lost(past)
  end

  test "the table of unsettled children forgets only what it was told by the same session" do
    other = spawn(fn -> :ok end)
    :ok = Unsettled.mark(4_194_305, self())
    :ok = Unsettled.clear(4_194_305, other)
    assert {:ok, pid} = Unsettled.session(4_194_305)
    assert pid == self()
    :ok = Unsettled.clear(4_194_305, self())
    assert :error = Unsettled.session(4_194_305)
  end
end
