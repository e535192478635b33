defmodule Bench.Main do
  @moduledoc "The command: measures, shows, and, after a complete run, writes the documentation's figures."

  alias Bench.{Document, Machine, Peers, Report, Settings, Targets}

  @sections %{
    "launch" => Bench.Launch,
    "scale" => Bench.Scale,
    "reading" => Bench.Reading,
    "streaming" => Bench.Streaming,
    "start" => Bench.Start,
    "timeline" => Bench.Timeline,
    "build" => Bench.Build,
    "sizes" => Bench.Sizes
  }

  @doc "Runs with these command-line arguments."
  @spec run([String.t()]) :: :ok
  def run(args) do
    case Settings.parse(args) do
      {:ok, settings} -> measure(settings)
      {:error, usage} -> IO.puts(:stderr, usage)
    end
  end

  defp measure(settings) do
    machine = Machine.describe()
    for {name, value} <- machine, do: IO.puts("#{String.pad_trailing(name, 12)} #{value}")
    rows = Enum.flat_map(settings.sections, &section(&1, settings))
    for table <- Targets.tables(rows), do: table |> Report.to_text() |> IO.puts()
    results = Path.join(Peers.dir(), "results")
    Document.write_results(results, machine, rows)
    if Settings.complete?(settings), do: Document.write_page(machine, rows)
    IO.puts("written to #{results}")
  end

  defp section(name, settings) do
    rows = @sections[name].run(settings)
    for table <- Report.tables(rows), do: table |> Report.to_text() |> IO.puts()
    rows
  end
end
