defmodule Linx.Hostile.AgentFramesTest do
  # LINX_FRAMES=1000000 mix test test/hostile/agent_frames_test.exs    is the long form,
  # LINX_AGENT=/path and LINX_LAUNCH=fork put another agent to the test, LINX_SEED repeats one that failed.
  use ExUnit.Case

  import Linx.TestWorkloads

  alias Linx.TestHostileFrames, as: Frames

  @frames String.to_integer(System.get_env("LINX_FRAMES", "50000"))
  @seed String.to_integer(System.get_env("LINX_SEED", "1"))
  @batch 500
  @sentinel 1_000_000
  # What an agent may come to hold of memory for good, in kB. One with a sanitizer in it holds more.
  @room String.to_integer(System.get_env("LINX_ROOM", "4096"))

  @moduletag :tmp_dir
  # The agent's files are not for everybody to look at.
  @moduletag :root
  @moduletag timeout: :infinity

  # Safe decoding knows the atoms of modules that are loaded.
  setup_all do
    assert :hello in Linx.AgentPort.Frame.atoms()
    :ok
  end

  setup context do
    path = System.get_env("LINX_AGENT") || Application.app_dir(:linx, "priv/linx-agent")
    launch = context[:launch] || System.get_env("LINX_LAUNCH", "clone")
    options = context[:port] || [{:packet, 4}]
    args = ["--launch", launch]

    port =
      Port.open(
        {:spawn_executable, path},
        [:binary, :nouse_stdio, :exit_status, args: args] ++ options
      )

    {:os_pid, pid} = Port.info(port, :os_pid)
    %{port: port, agent: pid}
  end

  test "random, mutated and senseless frames", context do
    frames(context, @frames)
  end

  @tag launch: "fork"
  test "the same to an agent that forks", context do
    frames(context, div(@frames, 10))
  end

  @tag port: []
  test "a stream cut anywhere, and frames announced as too large", %{port: port, agent: agent} do
    assert {:hello, 1, _version, _info} = next_frame(port)
    before = memory(agent)

    too_large = <<0x7FFF_FFFF::32>>
    Port.command(port, too_large)
    assert next_frame(port) == {:fault, :none, :too_large}
    # Its bytes are thrown away as they come; this much of them would be noticed.
    for _ <- 1..256, do: Port.command(port, :binary.copy(<<0>>, 262_144))
    assert memory(agent) - before < @room
    assert Port.close(port)
    eventually(fn -> not alive?(agent) end)
  end

  @tag port: []
  test "a byte at a time, and a frame as large as it may be", %{port: port, agent: agent} do
    assert {:hello, 1, _version, _info} = next_frame(port)
    before = memory(agent)
    frame = packed({:spawn, 1, %{argv: ["true"], stdio: {:devnull, :devnull, :devnull}}})
    for <<byte <- frame>>, do: Port.command(port, <<byte>>)
    assert {:ready, 1, _pid, _child} = next_frame(port)

    # Not running yet: refused, and given back.
    full = 16 * 1024 * 1024 - 32
    Port.command(port, packed({:write, 2, :binary.copy(<<0>>, full)}))
    assert next_frame(port) == {:fault, 2, :unknown_session}
    Port.command(port, [<<16 * 1024 * 1024 + 1::32>>, :binary.copy(<<0>>, 16 * 1024 * 1024 + 1)])
    assert next_frame(port) == {:fault, :none, :too_large}
    Port.command(port, packed({:proceed, 1}))
    assert [{:running, 1}, {:exited, 1, 0}] = next_frames(port, 2)
    eventually(fn -> memory(agent) - before < @room end)
  end

  defp frames(%{port: port, agent: agent, tmp_dir: dir}, count) do
    :rand.seed(:exsss, @seed)
    assert_receive {^port, {:data, _hello}}, 60_000
    # What is taken once and kept: buffers, stacks for children.
    batch(port, Frames.golden(), dir, @batch)
    before = %{memory: memory(agent), files: open_files(agent)}

    for _ <- 1..div(count, @batch), do: batch(port, Frames.golden(), dir, @batch)

    eventually(fn -> children(agent) == [] end)
    eventually(fn -> open_files(agent) == before.files end)
    kept = memory(agent) - before.memory

    if count >= 1_000_000,
      do: IO.puts("#{count} frames: memory #{before.memory} kB, #{kept} more")

    assert kept < @room
    Port.close(port)
    eventually(fn -> not alive?(agent) end)
  end

  # Frames, then whatever they started ended, and a launch as any other.
  defp batch(port, golden, dir, size) do
    for _ <- 1..size, do: Port.command(port, Frames.frame(golden, dir))
    ask(port, {:spawn, @sentinel, %{argv: ["true"], proceed: true, stdio: quiet()}})
    live = until_exited(port, @sentinel, MapSet.new())
    end_all(port, live)
  end

  defp quiet, do: {:devnull, :devnull, :devnull}

  # An id may have been an unlucky one's; so each that is heard of is ended until none is left.
  defp end_all(port, live, tries \\ 200) do
    assert tries > 0, "these do not end: #{inspect(live)}, seed #{@seed}"
    for id <- live, frame <- Frames.goodbye(id), do: ask(port, frame)
    ask(port, {:spawn, @sentinel, %{argv: ["true"], proceed: true, stdio: quiet()}})
    left = until_exited(port, @sentinel, live)
    if MapSet.size(left) > 0, do: end_all(port, left, tries - 1)
  end

  # The ids of sessions that are there when `sentinel` has run.
  defp until_exited(port, sentinel, live) do
    case next(port) do
      {:exited, ^sentinel, 0} -> MapSet.delete(live, sentinel)
      {:error, ^sentinel, errno, stage} -> flunk("a plain launch failed: #{errno} at #{stage}")
      event -> until_exited(port, sentinel, follow(live, event, port))
    end
  end

  defp follow(live, {:ready, id, _pid, _child}, _port), do: MapSet.put(live, id)

  defp follow(live, {:output, id, _stream, bytes}, port) do
    ask(port, {:ack, id, byte_size(bytes)})
    live
  end

  defp follow(live, {kind, id, _, _}, _port) when kind == :error, do: MapSet.delete(live, id)

  defp follow(live, {kind, id, _}, _port) when kind in [:exited, :signaled],
    do: MapSet.delete(live, id)

  # Orphaned: its end is not told.
  defp follow(live, {:fault, id, :unknown_session}, _port), do: MapSet.delete(live, id)
  defp follow(live, {:aborted, id}, _port), do: MapSet.delete(live, id)
  defp follow(live, {:running, id}, _port), do: MapSet.put(live, id)
  defp follow(live, _event, _port), do: live

  defp ask(port, term), do: Port.command(port, :erlang.term_to_binary(term))

  defp next(port) do
    receive do
      {^port, {:data, frame}} -> :erlang.binary_to_term(frame, [:safe])
      {^port, {:exit_status, status}} -> flunk("the agent ended with #{status}, seed #{@seed}")
    after
      60_000 -> flunk("the agent is silent, seed #{@seed}")
    end
  end

  # The next frame of a port that does not cut the stream, when no other is on its way.
  defp next_frame(port) do
    [frame] = next_frames(port, 1)
    frame
  end

  defp next_frames(port, count, seen \\ "") do
    frames = for <<size::32, frame::binary-size(size) <- seen>>, do: frame

    if length(frames) < count do
      assert_receive {^port, {:data, bytes}}, 10_000
      next_frames(port, count, seen <> bytes)
    else
      Enum.map(frames, &:erlang.binary_to_term(&1, [:safe]))
    end
  end

  defp packed(term) do
    frame = :erlang.term_to_binary(term)
    [<<byte_size(frame)::32>>, frame] |> IO.iodata_to_binary()
  end

  # Resident, in kB.
  defp memory(pid) do
    [_, kb] = Regex.run(~r/VmRSS:\s+(\d+)/, File.read!("/proc/#{pid}/status"))
    String.to_integer(kb)
  end
end
