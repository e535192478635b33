defmodule Bench.Scale do
  @moduledoc "Thousands of sessions: what one more costs, in time and in memory, and how fast all come and go."

  alias Bench.{Agent, Clock, Memory, Ours, Peers, Row}

  @section "scale"
  @ready "spawn until ready, by sessions parked"
  @launch "declared launch, by sessions parked"

  @doc "The groups that are plotted: name and what the line is called."
  @spec series() :: [{String.t(), String.t()}]
  def series, do: [{@ready, "spawn until ready"}, {@launch, "declared launch, to its exit"}]

  @doc "The rows of this section."
  @spec run(Bench.Settings.t()) :: [Row.t()]
  def run(settings) do
    rows = Clock.apart(fn -> parked(settings) end) ++ Clock.apart(fn -> running(settings) end)
    Agent.restart()
    rows
  end

  defp parked(settings) do
    warm()
    before = Memory.used()

    {sessions, parking, rows} =
      Enum.reduce(settings.points, {[], 0, []}, fn point, {sessions, parking, rows} ->
        {more, took} = park(point - length(sessions))
        {more ++ sessions, parking + took, rows ++ probe(point, settings.probes)}
      end)

    count = length(sessions)

    memory =
      Memory.used() |> Memory.per_item(before, count) |> memory_rows("memory a parked session")

    release = Clock.elapsed(fn -> release(sessions, count) end)

    rows ++
      memory ++
      [
        seconds("parking #{count}", parking),
        seconds("releasing, exit and reaping of #{count}", release)
      ]
  end

  defp warm do
    Agent.restart()
    for _ <- 1..20, do: Ours.declared(Peers.path("tiny"))
  end

  # Returns the sessions, and the nanoseconds until all of them were ready.
  defp park(count) do
    began = Clock.now()
    sessions = for _ <- 1..count, do: spawn_tiny()
    await(count, &match?({:linx_process, :ready, _host_pid}, &1))
    {sessions, Clock.now() - began}
  end

  defp spawn_tiny do
    {:ok, session} = Linx.Process.spawn(argv: [Peers.path("tiny")], linger: false)
    session
  end

  defp probe(point, probes) do
    name = Integer.to_string(point)
    ready = for _ <- 1..probes, do: ready() / 1_000
    launch = for _ <- 1..probes, do: launch() / 1_000

    [
      Row.new({@section, @ready}, name, "µs", ready),
      Row.new({@section, @launch}, name, "µs", launch)
    ]
  end

  defp ready do
    began = Clock.now()
    session = spawn_tiny()
    await(1, &match?({:linx_process, :ready, _host_pid}, &1))
    took = Clock.now() - began
    :ok = Linx.Process.abort(session)
    await(1, &match?({:linx_process, :aborted}, &1))
    await(1, &match?({:EXIT, ^session, _reason}, &1))
    took
  end

  defp launch do
    tiny = Peers.path("tiny")
    took = Clock.elapsed(fn -> Ours.declared(tiny) end)
    await(1, &match?({:EXIT, _session, :normal}, &1))
    took
  end

  defp release(sessions, count) do
    for session <- sessions, do: :ok = Linx.Process.proceed(session)
    await(count, &match?({:linx_process, :exited, 0}, &1))
  end

  defp running(settings) do
    warm()
    count = List.last(settings.points)
    before = Memory.used()
    began = Clock.now()
    sessions = for _ <- 1..count, do: spawn_idle()
    await(count, &match?({:linx_process, :running}, &1))
    starting = Clock.now() - began

    memory =
      Memory.used()
      |> Memory.per_item(before, count)
      |> memory_rows("memory a running session and its workload")

    killing =
      Clock.elapsed(fn ->
        for session <- sessions, do: :ok = Linx.Process.signal(session, 9)
        await(count, &match?({:linx_process, :signaled, 9}, &1))
      end)

    memory ++
      [
        seconds("starting #{count} that run on", starting),
        seconds("killing and reaping #{count}", killing)
      ]
  end

  # It lingers, since one that ends with a signal as its reason is logged as a crash.
  defp spawn_idle do
    {:ok, session} = Linx.Process.spawn(argv: [Peers.path("idle")], auto_proceed: true)
    session
  end

  # Takes messages as they come, so that thousands of them are not searched again and again.
  defp await(0, _wanted?), do: :ok

  defp await(count, wanted?) do
    receive do
      message -> await(if(wanted?.(message), do: count - 1, else: count), wanted?)
    after
      60_000 -> raise "#{count} sessions are silent"
    end
  end

  defp memory_rows(values, group) do
    for {name, kib} <- values, do: Row.new({@section, group}, name, "KiB", [kib])
  end

  defp seconds(name, ns), do: Row.new({@section, "all of them"}, name, "s", [ns / 1.0e9])
end
