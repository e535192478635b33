defmodule Linx.Capabilities.Securebits do
  @moduledoc """
  The secure bits of a process (capabilities(7), "The securebits flags: establishing a capabilities-only environment").

  They say how much uid 0 still means. A set of them is a `MapSet` of atoms, the kernel's `SECBIT_*` constants in lower case:
  `:noroot`, `:no_setuid_fixup`, `:keep_caps`, `:no_cap_ambient_raise`, `:exec_restrict_file`, `:exec_deny_interactive`,
  and for each of them a lock, such as `:noroot_locked`, which cannot be taken off again. Source: `include/uapi/linux/securebits.h`.

  `Linx.Capabilities.set_securebits/2` gives them to a workload.
  """

  import Bitwise

  alias Linx.Native

  @typedoc "A `SECBIT_*` constant in lower case."
  @type securebit :: atom()

  @max 0xFFFF_FFFF

  @doc """
  Every secure bit Linx knows, locks included: those of `include/uapi/linux/securebits.h`.

      iex> all = Linx.Capabilities.Securebits.all()
      iex> {MapSet.size(all), :keep_caps_locked in all}
      {12, true}
  """
  @spec all() :: MapSet.t(securebit())
  def all, do: from_bits(@max)

  @doc """
  The secure bits of a number as `PR_GET_SECUREBITS` of prctl(2) returns it. Bits without a name are left out.

      iex> Linx.Capabilities.Securebits.from_bits(0x3) |> Enum.sort()
      [:noroot, :noroot_locked]
  """
  @spec from_bits(0..0xFFFF_FFFF) :: MapSet.t(securebit())
  def from_bits(bits) when bits in 0..@max, do: MapSet.new(Native.securebits_names(bits))

  @doc """
  The number for `PR_SET_SECUREBITS` of prctl(2), of a list or `MapSet` of secure bits, or of such a number itself.

  The error names the first term that is no secure bit, or the whole of what is neither of the three.

      iex> Linx.Capabilities.Securebits.to_bits([:noroot, :noroot_locked])
      {:ok, 3}
      iex> Linx.Capabilities.Securebits.to_bits(0xEF)
      {:ok, 0xEF}
      iex> Linx.Capabilities.Securebits.to_bits([:noroot, :root])
      {:error, {:bad_securebits, :root}}
      iex> Linx.Capabilities.Securebits.to_bits(-1)
      {:error, {:bad_securebits, -1}}
  """
  @spec to_bits(term()) :: {:ok, 0..0xFFFF_FFFF} | {:error, {:bad_securebits, term()}}
  def to_bits(bits) when bits in 0..@max, do: {:ok, bits}
  def to_bits(names) when is_list(names), do: add(names, 0, names)

  def to_bits(names) do
    if is_struct(names, MapSet),
      do: names |> MapSet.to_list() |> to_bits(),
      else: {:error, {:bad_securebits, names}}
  end

  defp add([], bits, _names), do: {:ok, bits}

  defp add([name | rest], bits, names) do
    case Native.securebit(name) do
      nil -> {:error, {:bad_securebits, name}}
      bit -> add(rest, bits ||| bit, names)
    end
  end

  defp add(_improper, _bits, names), do: {:error, {:bad_securebits, names}}
end
