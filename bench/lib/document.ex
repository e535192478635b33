defmodule Bench.Document do
  @moduledoc "Writes results to files, and the generated part of docs/PERFORMANCE.md."

  alias Bench.{Chart, Json, Report, Row, Scale, Targets}

  @page "docs/PERFORMANCE.md"
  @pictures "docs/performance"
  @markers {"<!-- measured: begin -->", "<!-- measured: end -->"}
  @charts [
    {"launch.svg",
     "Launching a tiny static program, until its exit is known (▾: confined to one capability)",
     {"launch", "tiny static program"}},
    {"at-once.svg", "64 at once, launches a second (▾: confined to one capability)",
     {"launch", "tiny static program, 64 at once"}}
  ]

  @type machine :: [{String.t(), String.t()}]

  @doc "Results and charts, into a directory."
  @spec write_results(Path.t(), machine(), [Row.t()]) :: :ok
  def write_results(dir, machine, rows) do
    File.mkdir_p!(dir)
    File.write!(Path.join(dir, "results.json"), Json.encode(machine, rows))
    for {file, picture} <- pictures(rows), do: File.write!(Path.join(dir, file), picture)
    :ok
  end

  @doc "The same where the documentation has it, and the page itself."
  @spec write_page(machine(), [Row.t()]) :: :ok
  def write_page(machine, rows) do
    write_results(@pictures, machine, rows)
    {first, last} = @markers
    [before, rest] = @page |> File.read!() |> String.split(first, parts: 2)
    [_old, behind] = String.split(rest, last, parts: 2)
    File.write!(@page, [before, first, "\n\n", measured(machine, rows), last, behind])
  end

  defp measured(machine, rows) do
    [
      "See the run of #{machine |> hd() |> elem(1)}, on this machine:\n\n| | |\n|---|---|\n",
      for({name, value} <- machine, do: "| #{name} | #{value} |\n"),
      "\n",
      rows |> Targets.tables() |> Enum.map(&Report.to_markdown/1),
      for(
        {file, _picture} <- pictures(rows),
        do: "![#{Path.rootname(file)}](performance/#{file})\n\n"
      ),
      rows |> Report.tables() |> Enum.map(&Report.to_markdown/1)
    ]
  end

  defp pictures(rows) do
    bars =
      for {file, title, {section, group}} <- @charts,
          [_ | _] = chosen <- [Enum.filter(rows, &(&1.section == section and &1.group == group))],
          do: {file, Chart.bars(title, chosen)}

    bars ++ sessions(rows)
  end

  defp sessions(rows) do
    series =
      for {group, name} <- Scale.series(),
          [_ | _] = chosen <- [Enum.filter(rows, &(&1.group == group))],
          do: {name, chosen}

    title = "What one more session takes"

    if series == [],
      do: [],
      else: [{"sessions.svg", Chart.lines(title, "sessions parked", series)}]
  end
end
