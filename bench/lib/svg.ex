defmodule Bench.Svg do
  @moduledoc "The few pieces of SVG that the charts are made of."

  @doc "A drawing of that size on white ground."
  @spec document(pos_integer(), pos_integer(), iodata()) :: iodata()
  def document(width, height, content) do
    [
      ~s(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 #{width} #{height}" width="#{width}" height="#{height}" ),
      ~s(font-family="sans-serif" font-size="12">\n),
      ~s(<rect width="#{width}" height="#{height}" fill="white"/>\n),
      content,
      "</svg>\n"
    ]
  end

  @doc "Text; `options` are further attributes."
  @spec text(number(), number(), String.t(), keyword()) :: iodata()
  def text(x, y, text, options \\ []) do
    [
      ~s(<text x="#{round(x)}" y="#{round(y)}"),
      attributes(options),
      ">",
      escape(text),
      "</text>\n"
    ]
  end

  @doc "A filled rectangle."
  @spec rect(number(), number(), number(), number(), String.t()) :: iodata()
  def rect(x, y, width, height, colour) do
    ~s(<rect x="#{round(x)}" y="#{round(y)}" width="#{round(width)}" height="#{round(height)}" fill="#{colour}"/>\n)
  end

  @doc "A line through points."
  @spec line([{number(), number()}], String.t()) :: iodata()
  def line(points, colour) do
    path = Enum.map_join(points, " ", fn {x, y} -> "#{round(x)},#{round(y)}" end)
    ~s(<polyline points="#{path}" fill="none" stroke="#{colour}" stroke-width="2"/>\n)
  end

  defp attributes(options), do: for({name, value} <- options, do: ~s( #{name}="#{value}"))

  defp escape(text) do
    text |> String.replace("&", "&amp;") |> String.replace("<", "&lt;")
  end
end
