defmodule Linx.Capabilities.Members do
  @moduledoc false
  # The members of a set that can hold all 64 bits: a capability's atom where the bit has one, else
  # the bit itself.

  import Bitwise

  alias Linx.Capabilities.Constants

  @bits 0..63

  @type member :: Linx.Capabilities.cap() | 0..63
  @type t :: MapSet.t(member())

  # The mask of one member or of an enumerable of them; a number stands for its bit, named or not.
  @spec to_mask(member() | Enumerable.t()) :: non_neg_integer()
  def to_mask(one) when is_atom(one) or is_integer(one) or is_binary(one), do: mask_of(one)
  def to_mask(members), do: Enum.reduce(members, 0, &(mask_of(&1) ||| &2))

  @spec from_mask(non_neg_integer()) :: t()
  def from_mask(mask) do
    case mask &&& bnot(Constants.known_mask()) do
      0 -> Constants.from_bits(mask)
      rest -> MapSet.union(Constants.from_bits(mask), unnamed(rest))
    end
  end

  defp unnamed(mask), do: MapSet.new(for bit <- @bits, (mask >>> bit &&& 1) == 1, do: bit)

  defp mask_of(bit) when is_integer(bit) and bit in @bits, do: 1 <<< bit

  defp mask_of(cap) do
    case Constants.to_bit(cap) do
      nil -> raise ArgumentError, "not a capability: #{inspect(cap)}"
      bit -> 1 <<< bit
    end
  end
end
