defmodule Linx.CLI.CapNames do
  @moduledoc false
  # Capability names as people type them.

  alias Linx.Capabilities.Constants
  alias Linx.Native

  @doc """
  The set that lists of names mean: comma separated, any case, with or without `cap_`.
  `none` adds nothing.

      iex> {:ok, caps} = Linx.CLI.CapNames.parse(["net_raw,CAP_CHOWN", "kill"])
      iex> Enum.sort(caps)
      [:cap_chown, :cap_kill, :cap_net_raw]
      iex> Linx.CLI.CapNames.parse(["none"])
      {:ok, MapSet.new()}
      iex> Linx.CLI.CapNames.parse(["net_bind_servce"])
      {:error, "unknown capability net_bind_servce; did you mean cap_net_bind_service?"}
  """
  @spec parse([String.t()]) :: {:ok, Linx.Capabilities.cap_set()} | {:error, String.t()}
  def parse(lists) do
    names = lists |> Enum.flat_map(&String.split(&1, ",")) |> Enum.map(&String.trim/1)
    known = Map.new(Constants.all(), &{Atom.to_string(&1), &1})

    Enum.reduce_while(names, {:ok, MapSet.new()}, fn name, {:ok, caps} ->
      case lookup(known, String.downcase(name)) do
        :none -> {:cont, {:ok, caps}}
        {:ok, cap} -> {:cont, {:ok, MapSet.put(caps, cap)}}
        :error -> {:halt, {:error, unknown(name)}}
      end
    end)
  end

  defp lookup(_known, "none"), do: :none
  defp lookup(known, "cap_" <> _ = name), do: Map.fetch(known, name)
  defp lookup(known, name), do: Map.fetch(known, "cap_" <> name)

  defp unknown(""), do: "an empty capability name; none is the word for no capability"

  defp unknown(name), do: "unknown capability #{name}#{suggestion(name)}"

  @doc """
  The end of a sentence about a wrong name: which right one it is near to, if any.

      iex> Linx.CLI.CapNames.suggestion("CAP_CHWON")
      "; did you mean cap_chown?"
      iex> Linx.CLI.CapNames.suggestion("frobnicate")
      ""
  """
  @spec suggestion(String.t()) :: String.t()
  def suggestion(name) do
    case Native.nearest_name(name) do
      nil -> ""
      near -> "; did you mean #{near}?"
    end
  end
end
