defmodule Bench.Json do
  @moduledoc "The results as JSON text."

  alias Bench.Row

  @doc "The machine and every row."
  @spec encode([{String.t(), String.t()}], [Row.t()]) :: iodata()
  def encode(machine, rows) do
    [
      "{\n\"machine\": ",
      object(machine),
      ",\n\"rows\": [\n",
      rows |> Enum.map(&row/1) |> Enum.intersperse(",\n"),
      "\n]\n}\n"
    ]
  end

  defp row(row) do
    object(
      for field <- [:section, :group, :name, :drops?, :unit, :median, :p10, :p90, :samples] do
        {field |> Atom.to_string() |> String.trim_trailing("?"), Map.fetch!(row, field)}
      end
    )
  end

  defp object(pairs) do
    fields = for {key, value} <- pairs, do: [string(key), ": ", value(value)]
    ["{", Enum.intersperse(fields, ", "), "}"]
  end

  defp value(nil), do: "null"
  defp value(value) when is_boolean(value), do: Atom.to_string(value)
  defp value(value) when is_integer(value), do: Integer.to_string(value)
  defp value(value) when is_float(value), do: :erlang.float_to_binary(value, decimals: 3)
  defp value(value) when is_binary(value), do: string(value)

  defp string(text), do: [?", Regex.replace(~r/["\\]/, text, "\\\\\\0"), ?"]
end
