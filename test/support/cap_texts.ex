defmodule Linx.TestCapTexts do
  @moduledoc false
  # Sets and texts of capabilities made up by chance, for comparison with libcap's tools.

  alias Linx.Capabilities.{Constants, Set}

  @flags [:effective, :permitted, :inheritable]

  # A capability that is as often a name as a number; one in eight has no name.
  def member do
    case Enum.random(1..8) do
      1 -> Enum.random(41..63)
      _ -> Constants.from_bit(Enum.random(0..40))
    end
  end

  def members, do: for(_ <- 1..Enum.random(1..8), do: member())

  def set do
    Enum.reduce(@flags, base(), fn flag, set ->
      Set.set_flag(set, flag, members(), Enum.random([true, true, false]))
    end)
  end

  # A set that a file can have: all effective or none.
  def file_set do
    set = Set.clear_flag(set(), :effective)
    if Enum.random([true, false]), do: all_effective(set), else: set
  end

  defp all_effective(set) do
    Set.set_flag(set, :effective, MapSet.union(set.permitted, set.inheritable), true)
  end

  defp base do
    flags = for flag <- @flags, Enum.random(1..3) == 1, do: {flag, Constants.all()}
    Set.new(flags)
  end

  # A text with one to four clauses in any of the shapes there are.
  def text,
    do: Enum.map_join(1..Enum.random(1..4), Enum.random([" ", "  ", "\t"]), fn _ -> clause() end)

  # A text that was right before one byte was changed, put in or taken out. It may be so still.
  def near_miss do
    text = text()
    {before, rest} = String.split_at(text, Enum.random(0..String.length(text)))
    stray = <<Enum.random(~c"=+-,! epixc09?_\n")>>
    before <> Enum.random([stray, stray <> String.slice(rest, 1..-1//1), ""]) <> rest
  end

  defp clause do
    case Enum.random(1..6) do
      1 -> "=" <> flags(0)
      2 -> list() <> "=" <> flags(0) <> operations(0)
      _ -> list() <> operations(1)
    end
  end

  defp list, do: Enum.map_join(1..Enum.random(1..3), ",", fn _ -> item() end)

  defp item do
    case member() do
      cap when is_atom(cap) -> Enum.random([&to_string/1, &String.upcase(to_string(&1))]).(cap)
      bit -> Enum.random([to_string(bit), to_string(bit), "all"])
    end
  end

  defp operations(at_least) do
    for(_ <- 1..Enum.random(at_least..2)//1, do: Enum.random(["+", "-"]) <> flags(1))
    |> Enum.join()
  end

  defp flags(at_least) do
    for(_ <- 1..Enum.random(at_least..3)//1, do: Enum.random(["e", "i", "p"])) |> Enum.join()
  end
end
