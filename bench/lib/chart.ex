defmodule Bench.Chart do
  @moduledoc "The rows as pictures: bars for one group, lines for a series."

  alias Bench.{Report, Row, Svg}

  @width 760
  @label 210
  @bar 22
  @ours "#2b6cb0"
  @theirs "#a0aec0"
  @lines ["#2b6cb0", "#c05621"]
  @spread "#1a202c"

  @doc "A bar for each row, the best on top; Linx stands out. The thin line is p10 to p90."
  @spec bars(String.t(), [Row.t(), ...]) :: iodata()
  def bars(title, rows) do
    rows = Enum.sort_by(rows, & &1.median, if(hd(rows).unit == "1/s", do: :desc, else: :asc))
    scale = (@width - @label - 90) / (rows |> Enum.map(& &1.median) |> Enum.max())

    Svg.document(@width, 50 + length(rows) * @bar, [
      Svg.text(10, 22, title, "font-weight": "bold", "font-size": 14)
      | for({row, index} <- Enum.with_index(rows), do: bar(row, 40 + index * @bar, scale))
    ])
  end

  defp bar(row, y, scale) do
    colour = if String.starts_with?(row.name, "Linx"), do: @ours, else: @theirs
    name = if row.drops?, do: row.name <> " ▾", else: row.name

    spread =
      for value <- [row.p10, row.p90], do: {min(@label + value * scale, @width - 90), y + 8}

    [
      Svg.text(@label - 8, y + 12, name, "text-anchor": "end"),
      Svg.rect(@label, y, row.median * scale, @bar - 6, colour),
      Svg.line(spread, @spread),
      Svg.text(@width - 80, y + 12, Report.number(row.median) <> " " <> row.unit)
    ]
  end

  @doc "A line for each series of rows whose names are numbers, all from zero up."
  @spec lines(String.t(), String.t(), [{String.t(), [Row.t(), ...]}]) :: iodata()
  def lines(title, x_label, series) do
    rows = Enum.flat_map(series, &elem(&1, 1))
    right = rows |> Enum.map(&x/1) |> Enum.max()
    top = rows |> Enum.map(& &1.median) |> Enum.max()
    at = fn x, y -> {60 + x / right * (@width - 120), 300 - y / top * 220} end

    Svg.document(@width, 350, [
      Svg.text(10, 22, title, "font-weight": "bold", "font-size": 14),
      Svg.line([at.(0, top), at.(0, 0), at.(right, 0)], "#718096"),
      Svg.text(@width / 2, 340, x_label, "text-anchor": "middle"),
      ticks(series, at),
      for({{name, rows}, index} <- Enum.with_index(series), do: plotted(name, rows, index, at))
    ])
  end

  defp ticks([{_name, rows} | _], at) do
    for row <- rows do
      {x, y} = at.(x(row), 0)
      Svg.text(x, y + 18, row.name, "text-anchor": "middle")
    end
  end

  defp plotted(name, rows, index, at) do
    colour = Enum.at(@lines, index)
    points = for row <- rows, do: at.(x(row), row.median)

    labels =
      for {row, {x, y}} <- Enum.zip(rows, points) do
        Svg.text(x, y - 8, "#{round(row.median)}", "text-anchor": "middle", fill: colour)
      end

    legend = "#{name}, #{hd(rows).unit}"
    [Svg.line(points, colour), labels, Svg.text(70 + index * 240, 48, legend, fill: colour)]
  end

  defp x(row), do: String.to_integer(row.name)
end
