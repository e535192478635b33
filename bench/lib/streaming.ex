defmodule Bench.Streaming do
  @moduledoc "Output and input of a workload, and lines there and back, through pipes and pseudo-terminals."

  alias Bench.{Clock, Peers, Rounds, Row, Streams}

  @section "streaming"

  @doc "The rows of this section."
  @spec run(Bench.Settings.t()) :: [Row.t()]
  def run(settings) do
    Clock.apart(fn ->
      pipes(settings) ++ ptys(settings) ++ echoes(settings)
    end)
  end

  defp pipes(settings) do
    size = settings.stream_bytes

    throughput("workload to owner, pipe", settings, size, [
      {"C", fn -> c("out", "pipe", size) end},
      {"bare Port", fn -> [Streams.port_out(size)] end},
      {"Linx", fn -> [Streams.linx_out(:pipe, size)] end}
    ]) ++
      throughput("owner to workload, pipe", settings, size, [
        {"C", fn -> c("in", "pipe", size) end},
        {"bare Port", fn -> [Streams.port_in(size)] end},
        {"Linx", fn -> [Streams.linx_in(:pipe, size)] end}
      ])
  end

  defp ptys(settings) do
    size = settings.pty_bytes

    throughput("workload to owner, pty", settings, size, [
      {"C", fn -> c("out", "pty", size) end},
      {"Linx", fn -> [Streams.linx_out(:pty, size)] end}
    ]) ++
      throughput("owner to workload, pty", settings, size, [
        {"C", fn -> c("in", "pty", size) end},
        {"Linx", fn -> [Streams.linx_in(:pty, size)] end}
      ])
  end

  defp echoes(settings) do
    count = settings.echoes

    subjects = [
      {"C, pipe", fn -> c("echo", "pipe", count) end},
      {"C, pty", fn -> c("echo", "pty", count) end},
      {"{packet, 4} port", fn -> Streams.port_echo(count) end},
      {"Linx, pipe", fn -> Streams.linx_echo(:pipe, count) end},
      {"Linx, pty", fn -> Streams.linx_echo(:pty, count) end}
    ]

    for {name, samples} <- Rounds.run(subjects, settings.rounds) do
      Row.new({@section, "a line and its echo"}, name, "µs", Enum.map(samples, &(&1 / 1_000)))
    end
  end

  defp throughput(group, settings, size, subjects) do
    for {name, samples} <- Rounds.run(subjects, settings.rounds) do
      Row.new({@section, group}, name, "MB/s", Enum.map(samples, &(size * 1_000 / &1)))
    end
  end

  defp c(what, kind, size) do
    Peers.measure("streaming", [what, kind, size, Peers.path("traffic")])
  end
end
