defmodule Bench.Launch do
  @moduledoc "Launching: one after the other, and many at once."

  alias Bench.{Launchers, Peers, Rounds, Row}

  @section "launch"
  @width 64

  @doc "The workloads: one that costs nothing beside its launch, and an ordinary one."
  @spec programs() :: [{String.t(), Path.t()}]
  def programs do
    [{"tiny static program", Peers.path("tiny")}, {"/bin/true", "/bin/true"}]
  end

  @doc "The rows of this section."
  @spec run(Bench.Settings.t()) :: [Row.t()]
  def run(settings) do
    launchers = Launchers.all()

    for {title, program} <- programs(),
        {group, unit, width, batches} <- [
          {title, "µs", 1, settings.launches},
          {"#{title}, #{@width} at once", "1/s", @width, settings.batches}
        ],
        row <- measure(launchers, {@section, group}, unit, {program, batches, width}, settings) do
      row
    end
  end

  defp measure(launchers, key, unit, {program, batches, width}, settings) do
    subjects =
      for launcher <- launchers,
          do: {launcher, fn -> launcher.run.(program, batches, width) end}

    for {launcher, samples} <- Rounds.run(subjects, settings.rounds) do
      row = Row.new(key, launcher.name, unit, Enum.map(samples, &convert(&1, unit, width)))
      %{row | drops?: launcher.drops?}
    end
  end

  defp convert(ns, "µs", 1), do: ns / 1_000
  defp convert(ns, "1/s", width), do: width * 1.0e9 / ns
end
