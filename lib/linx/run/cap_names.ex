defmodule Linx.Run.CapNames do
  @moduledoc """
  Capability names as people type them.
  """

  alias Linx.Capabilities.Constants

  @doc """
  The set that lists of names mean: comma separated, any case, with or without `cap_`.
  `none` adds nothing.

      iex> {:ok, caps} = Linx.Run.CapNames.parse(["net_raw,CAP_CHOWN", "kill"])
      iex> Enum.sort(caps)
      [:cap_chown, :cap_kill, :cap_net_raw]
      iex> Linx.Run.CapNames.parse(["none"])
      {:ok, MapSet.new()}
      iex> Linx.Run.CapNames.parse(["net_bind_servce"])
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

  defp unknown(""), do: "an empty capability name; write none to keep none"

  defp unknown(name) do
    case nearest("cap_" <> String.replace_prefix(String.downcase(name), "cap_", "")) do
      {cap, likeness} when likeness > 0.8 -> "unknown capability #{name}; did you mean #{cap}?"
      _ -> "unknown capability #{name}"
    end
  end

  defp nearest(name) do
    Constants.all()
    |> Enum.map(&{&1, String.jaro_distance(name, Atom.to_string(&1))})
    |> Enum.max_by(fn {_cap, likeness} -> likeness end)
  end
end
