defmodule Linx.Hostile.FakeAgentTest do
  # Agents that are none: what they say must not harm the VM, and every owner is told one end.
  use ExUnit.Case

  import ExUnit.CaptureLog
  import Linx.TestWorkloads, only: [eventually: 1]

  alias Linx.AgentPort
  alias Linx.AgentPort.Frame

  @moduletag :tmp_dir
  @rounds String.to_integer(System.get_env("LINX_ROUNDS", "60"))
  @seed String.to_integer(System.get_env("LINX_SEED", "1"))
  @sessions 3
  @hello {:hello, 1, "0.1.0", %{launch: :clone, last_cap: 40, pid: 1}}
  # The largest size of a frame that OTP's port driver understands.
  @absurd 0x7FFF_FFFF

  describe "instead of the agent of all sessions" do
    # The application's own is back when the test is over.
    setup do
      eventually(fn -> AgentPort.status().sessions == 0 end)
      :ok = Supervisor.terminate_child(Linx.Supervisor, AgentPort)

      on_exit(fn ->
        {:ok, _pid} = Supervisor.restart_child(Linx.Supervisor, AgentPort)
      end)
    end

    test "one that sends anything in any order: each owner is told one end", %{tmp_dir: dir} do
      :rand.seed(:exsss, @seed)
      # The atoms of modules, which are loaded when they are called.
      for module <- Application.spec(:linx, :modules), do: Code.ensure_loaded!(module)
      capture_log(fn -> round(dir, for(_ <- 1..50, do: anything())) end)
      atoms = :erlang.system_info(:atom_count)

      capture_log(fn ->
        for _ <- 1..@rounds, do: round(dir, for(_ <- 1..:rand.uniform(60), do: anything()))
      end)

      assert :erlang.system_info(:atom_count) == atoms
    end

    test "one that tells each end twice, and goes on talking", %{tmp_dir: dir} do
      ids = 1..@sessions

      frames =
        for(id <- ids, do: {:ready, id, 7, 7}) ++
          for(id <- ids, _ <- 1..2, do: {:exited, id, id}) ++
          for(id <- ids, event <- [{:running, id}, {:output, id, :stdout, "late"}], do: event)

      log = capture_log(fn -> round(dir, Enum.map(frames, &packed/1)) end)
      assert log =~ "the agent ended with status 9; sessions lost: 0"
    end

    test "one that dies in the middle of a frame", %{tmp_dir: dir} do
      log = capture_log(fn -> round(dir, [packed({:ready, 1, 7, 7}), <<100::32, "half">>]) end)
      assert log =~ "the agent ended with status 9; sessions lost: 3"
    end

    test "one that announces more than there is memory", %{tmp_dir: dir} do
      log = capture_log(fn -> round(dir, [<<@absurd::32, "x">>]) end)
      assert log =~ "sessions lost: 3"
    end
  end

  describe "before its hello" do
    test "garbage", %{tmp_dir: dir} do
      assert {{:error, 71, :protocol}, log} = first_words(dir, <<3::32, 255, 254, 253>>)
      assert log =~ "does not say hello as an agent does: <<255, 254, 253>>"
    end

    test "another protocol, with a version that is no text", %{tmp_dir: dir} do
      hello = packed({:hello, 77, <<255, 0, 10>>, %{}})
      assert {{:error, 71, :protocol}, log} = first_words(dir, hello)
      assert log =~ "speaks protocol 77, not 1"
    end

    test "a hello without a body", %{tmp_dir: dir} do
      assert {{:error, 71, :protocol}, log} = first_words(dir, packed({:hello, 1}))
      assert log =~ "does not say hello"
    end

    test "an atom that the VM does not know", %{tmp_dir: dir} do
      hello = <<131, 104, 2, 119, 20, "an_atom_nobody_knows", 97, 1>>
      assert {{:error, 71, :protocol}, _log} = first_words(dir, [<<byte_size(hello)::32>>, hello])

      assert_raise ArgumentError, fn ->
        String.to_existing_atom("an_atom_nobody_" <> "knows")
      end
    end

    # The answer to a session of an agent with these first words, and what was logged.
    defp first_words(dir, bytes) do
      {:ok, server} = AgentPort.start_link(name: nil, path: agent(dir, bytes, ""))

      log =
        capture_log(fn ->
          assert :wait = AgentPort.join(server, self(), 100)
          assert_receive {:linx_agent, answer}, 10_000
          send(self(), {:answer, answer})
        end)

      assert_received {:answer, answer}
      assert %{stage: :closed} = AgentPort.status(server)
      GenServer.stop(server)
      {answer, log}
    end
  end

  describe "a frame is no frame" do
    test "that unfolds to more than it is" do
      bomb =
        :erlang.term_to_binary({:output, 1, :stdout, :binary.copy("x", 50_000)}, [:compressed])

      assert byte_size(bomb) < 500
      assert Frame.decode(bomb) == :error
    end

    test "whose numbers mean nothing" do
      for frame <- [
            {:ready, 1, 0, 1},
            {:ready, 1, 1, -1},
            {:written, 1, -1},
            {:exited, 1, 256},
            {:exited, 1, -1},
            {:signaled, 1, 0},
            {:error, 1, -1, :execve},
            {:synced, 1, -1},
            {:running, -1}
          ] do
        assert Frame.decode(:erlang.term_to_binary(frame)) == :error, inspect(frame)
      end
    end
  end

  # Sessions of an agent that says `frames` once it is spoken to, and then ends.
  defp round(dir, frames) do
    server = start_supervised!({AgentPort, path: agent(dir, packed(@hello), frames)})

    sessions =
      for tag <- 1..@sessions do
        {:ok, session} = Linx.Process.spawn(argv: ["true"], stdio: :pipe, tag: tag)
        session
      end

    results = for session <- sessions, do: Linx.Process.wait(session, 20_000)
    # What is said after an end has arrived when the agent's own end has.
    eventually(fn -> AgentPort.status(server).stage == :closed end)

    for {session, {tag, result}} <- Enum.zip(sessions, Enum.with_index(results, &{&2 + 1, &1})) do
      assert result != {:error, :timeout}
      assert {:ok, %Linx.Process.Info{}} = Linx.Process.info(session)
      assert [last] = Enum.filter(heard(tag), &terminal?/1)
      assert agree?(last, result)
      GenServer.stop(session)
    end

    stop_supervised!(AgentPort)
  end

  # What the owner was told under a tag; nothing may follow an end.
  defp heard(tag, events \\ []) do
    receive do
      message when elem(message, 0) == :linx_process and elem(message, 1) == tag ->
        refute Enum.any?(events, &terminal?/1)
        heard(tag, [elem(message, 2) | events])
    after
      0 -> events
    end
  end

  defp terminal?(kind), do: kind in [:exited, :signaled, :aborted, :error]

  defp agree?(:error, {:error, %Linx.Process.Error{}}), do: true
  defp agree?(:aborted, {:ok, :aborted}), do: true
  defp agree?(kind, {:ok, {kind, _number}}), do: true
  defp agree?(_kind, _result), do: false

  # A program that says `hello`, waits until it is spoken to, says `frames` and ends.
  defp agent(dir, hello, frames) do
    File.write!(Path.join(dir, "hello"), hello)
    File.write!(Path.join(dir, "frames"), frames)
    path = Path.join(dir, "agent.sh")

    File.write!(path, """
    #!/bin/sh
    cat #{dir}/hello >&4
    head -c 1 <&3 >/dev/null
    cat #{dir}/frames >&4
    exit 9
    """)

    File.chmod!(path, 0o755)
    path
  end

  defp anything do
    case :rand.uniform(8) do
      1 -> sized(:rand.bytes(:rand.uniform(100) - 1))
      2 -> unknown_atom()
      3 -> packed(:erlang.make_tuple(:rand.uniform(5), odd()))
      4 -> event() |> :erlang.term_to_binary() |> damaged() |> sized()
      _ -> packed(event())
    end
  end

  defp event do
    id = Enum.random([0, 1, 2, 3, 4, -1, 18_446_744_073_709_551_616])

    Enum.random([
      @hello,
      {:ready, id, odd(), odd()},
      {:ready, id, 7, 7},
      {:running, id},
      {:output, id, Enum.random([:stdout, :pty, :stderr, :log]), odd()},
      {:output, id, :stdout, :binary.copy("x", :rand.uniform(200_000))},
      {:written, id, odd()},
      {:synced, id, odd()},
      {:exited, id, odd()},
      {:signaled, id, odd()},
      {:aborted, id},
      {:error, id, odd(), Enum.random([:execve, :agent_died, :none, odd()])},
      {:error, id, 2, :execve},
      {:fault, id, Enum.random([:bad_argument, :malformed, :not_parked, odd()])},
      {:fault, :none, :malformed}
    ])
  end

  defp odd do
    Enum.random([0, 1, -1, 9, 255, 4_294_967_296, 1.5, :none, "text", <<255>>, [], {1}, %{}])
  end

  defp damaged(frame) do
    at = :rand.uniform(byte_size(frame)) - 1
    <<front::binary-size(at), _byte, back::binary>> = frame
    <<front::binary, :rand.uniform(256) - 1, back::binary>>
  end

  defp unknown_atom do
    name = "unheard_of_#{:rand.uniform(1_000_000)}"
    sized(<<131, 104, 2, 119, byte_size(name), name::binary, 97, 1>>)
  end

  defp packed(term), do: term |> :erlang.term_to_binary() |> sized()
  defp sized(frame), do: <<byte_size(frame)::32, frame::binary>>
end
