defmodule Bench.Report do
  @moduledoc "The rows as tables: what is measured, its spread, and its ratio to what it is compared with."

  alias Bench.Row

  # What the rows of a section are compared with, where the group has it.
  @references %{
    "launch" => ["System.cmd", "Go cap.Launcher", "C fork, park, drop, exec"],
    "scale" => ["1"],
    "reading" => ["C open, read, close, parse", "C, every process in /proc"],
    "streaming" => ["C", "bare Port", "{packet, 4} port"],
    "start" => ["erl alone"],
    "build" => ["Mix alone"],
    "sizes" => [],
    "timeline" => []
  }

  @type table :: {title :: String.t(), header :: [String.t()], [[String.t()]]}

  @doc "A table for each group, in the order of the rows."
  @spec tables([Row.t()]) :: [table()]
  def tables(rows) do
    rows
    |> Enum.map(&{&1.section, &1.group})
    |> Enum.uniq()
    |> Enum.map(&table(rows, &1))
  end

  defp table(rows, {section, group} = key) do
    rows = Enum.filter(rows, &({&1.section, &1.group} == key))
    references = for name <- @references[section], row = Row.find(rows, key, name), do: row
    drops? = Enum.any?(rows, &(&1.drops? != nil))

    header =
      [hd(rows).unit] ++
        if(drops?, do: ["drops"], else: []) ++
        ["median", "p10", "p90"] ++ Enum.map(references, &"÷ #{&1.name}")

    {"#{section}: #{group}", header, Enum.map(rows, &cells(&1, references, drops?))}
  end

  defp cells(row, references, drops?) do
    [row.name] ++
      if(drops?, do: [if(row.drops?, do: "yes", else: "")], else: []) ++
      Enum.map([row.median, row.p10, row.p90], &number/1) ++
      Enum.map(references, &ratio(row.median, &1.median))
  end

  defp ratio(_median, reference) when reference == 0, do: "–"
  defp ratio(median, reference), do: fixed(median / reference)

  @doc "Two digits after the point, none where there are four before it."
  @spec number(number()) :: String.t()
  def number(value) when abs(value) >= 1_000, do: value |> round() |> Integer.to_string()
  def number(value) when abs(value) >= 100, do: :erlang.float_to_binary(value / 1, decimals: 1)
  def number(value), do: fixed(value)

  defp fixed(value), do: :erlang.float_to_binary(value / 1, decimals: 2)

  @doc "For a terminal: columns aligned."
  @spec to_text(table()) :: iodata()
  def to_text({title, header, rows}) do
    widths =
      [header | rows]
      |> Enum.zip_with(fn column -> column |> Enum.map(&String.length/1) |> Enum.max() end)

    [title, "\n" | for(line <- [header | rows], do: ["  ", aligned(line, widths), "\n"])]
  end

  defp aligned([name | cells], [width | widths]) do
    padded =
      for {cell, width} <- Enum.zip(cells, widths), do: ["  ", String.pad_leading(cell, width)]

    [String.pad_trailing(name, width) | padded]
  end

  @doc "For a document."
  @spec to_markdown(table()) :: iodata()
  def to_markdown({title, header, rows}) do
    rule = ["|---|" | for(_ <- tl(header), do: "---:|")]
    ["### ", title, "\n\n", line(header), rule, "\n", Enum.map(rows, &line/1), "\n"]
  end

  defp line(cells), do: ["| ", Enum.intersperse(cells, " | "), " |\n"]
end
