defmodule Linx.CLI.Table do
  @moduledoc false
  # Text in columns, and the five capability sets of one or more moments side by side.

  alias Linx.Capabilities.{Constants, State}

  @set_names [:effective, :permitted, :inheritable, :bounding, :ambient]
  # Longer lists are told by their number, or by what they lack.
  @few 3

  @doc "The sets in the order that capabilities(7) and `/proc` readers think of them."
  @spec set_names() :: [atom(), ...]
  def set_names, do: @set_names

  @doc """
  One column per `{title, state}`.

      iex> {:ok, state} = Linx.Capabilities.read(:self)
      iex> state = %{state | inheritable: MapSet.new([:cap_kill, :cap_chown])}
      iex> [{"before", state}] |> Linx.CLI.Table.format() |> to_string() |> String.split("\\n") |> Enum.at(3)
      "  inheritable  cap_chown,cap_kill"
  """
  @spec format([{String.t(), State.t()}, ...]) :: iodata()
  def format(columns) do
    names = ["" | Enum.map(@set_names, &Atom.to_string/1)]

    cells = for {title, state} <- columns, do: [title | Enum.map(@set_names, &cell(state, &1))]

    [names | cells] |> Enum.zip() |> Enum.map(&Tuple.to_list/1) |> align() |> indented()
  end

  @doc """
  Rows of cells as lines whose columns begin at the same place. Numbers are set to the right.

      iex> Linx.CLI.Table.align([["PID", "NAME"], [7, "x"], [4711, "init"]])
      [" PID  NAME", "   7  x", "4711  init"]
      iex> Linx.CLI.Table.align([])
      []
  """
  @spec align([[String.t() | integer()]]) :: [String.t()]
  def align(rows) do
    rows |> Enum.zip_with(&padded/1) |> Enum.zip_with(&line/1)
  end

  @doc """
  A set in few words.

      iex> Linx.CLI.Table.words(MapSet.new())
      "none"
      iex> all = Linx.Capabilities.Constants.all()
      iex> Linx.CLI.Table.words(MapSet.delete(all, :cap_chown))
      "all but cap_chown"
  """
  @spec words(Linx.Capabilities.cap_set()) :: String.t()
  def words(caps) do
    all = Constants.all()
    lacking = MapSet.difference(all, caps)

    cond do
      Enum.empty?(caps) -> "none"
      Enum.empty?(lacking) -> "all #{MapSet.size(all)}"
      MapSet.size(caps) <= @few -> names(caps)
      MapSet.size(lacking) <= @few -> "all but #{names(lacking)}"
      true -> "#{MapSet.size(caps)} of #{MapSet.size(all)}"
    end
  end

  defp cell(state, name), do: state |> Map.fetch!(name) |> words()

  defp names(caps), do: caps |> Enum.sort() |> Enum.join(",")

  defp padded(column) do
    numbers? = Enum.any?(column, &is_integer/1)
    texts = Enum.map(column, &to_string/1)
    width = texts |> Enum.map(&String.length/1) |> Enum.max()

    if numbers?,
      do: Enum.map(texts, &String.pad_leading(&1, width)),
      else: Enum.map(texts, &String.pad_trailing(&1, width))
  end

  defp line(cells), do: cells |> Enum.join("  ") |> String.trim_trailing()

  defp indented(lines), do: Enum.map(lines, &["  ", &1, ?\n])
end
