defmodule Linx.Capabilities.Constants do
  @moduledoc """
  Capability atoms, their bits and the kernel's masks.

  The table is `native/linx-caps/capabilities.txt`, which the Rust side reads too; it follows
  `include/uapi/linux/capability.h`. Bit *n* of a mask is the capability numbered *n*.
  """

  import Bitwise

  alias Linx.Capabilities

  @source Path.expand("../../../native/linx-caps/capabilities.txt", __DIR__)
  @external_resource @source

  @table @source
         |> File.read!()
         |> String.split("\n", trim: true)
         |> Enum.reject(&String.starts_with?(&1, "#"))
         |> Enum.map(fn line ->
           [bit, name] = String.split(line)
           {String.to_integer(bit), String.to_atom(name)}
         end)

  @masks for {bit, cap} <- @table, do: {1 <<< bit, cap}
  @known_mask Enum.reduce(@masks, 0, fn {mask, _cap}, sum -> mask ||| sum end)
  @last_cap @table |> List.last() |> elem(0)
  @all MapSet.new(for {_bit, cap} <- @table, do: cap)

  @doc """
  Every capability Linx knows, which are those of the kernel's `include/uapi/linux/capability.h`.

      iex> Linx.Capabilities.Constants.all() |> MapSet.size()
      41
      iex> keep = MapSet.new([:cap_net_bind_service, :cap_setuid])
      iex> Linx.Capabilities.Constants.all() |> MapSet.difference(keep) |> MapSet.size()
      39
  """
  @spec all() :: Capabilities.cap_set()
  def all, do: @all

  @doc """
  The highest bit that has a name here: `CAP_LAST_CAP` of `include/uapi/linux/capability.h`. The running kernel's own is in
  `/proc/sys/kernel/cap_last_cap` (proc(5)); `Linx.Capabilities.max_bits/0` is one more.

      iex> Linx.Capabilities.Constants.last_cap()
      40
  """
  @spec last_cap() :: non_neg_integer()
  def last_cap, do: @last_cap

  @doc """
  The mask of every capability Linx knows, as the `Cap…:` lines of proc_pid_status(5) have it.

      iex> Linx.Capabilities.Constants.known_mask()
      0x1FFFFFFFFFF
  """
  @spec known_mask() :: non_neg_integer()
  def known_mask, do: @known_mask

  @doc """
  The bit of a capability, 0 to 40 as in `include/uapi/linux/capability.h`; `nil` for what is none.

      iex> Linx.Capabilities.Constants.to_bit(:cap_net_admin)
      12
      iex> Linx.Capabilities.Constants.to_bit(:cap_nope)
      nil
  """
  @spec to_bit(term()) :: non_neg_integer() | nil
  for {bit, cap} <- @table do
    def to_bit(unquote(cap)), do: unquote(bit)
  end

  def to_bit(_cap), do: nil

  @doc """
  The capability of a bit as in `include/uapi/linux/capability.h`, `:unknown` where there is none.

      iex> Linx.Capabilities.Constants.from_bit(40)
      :cap_checkpoint_restore
      iex> Linx.Capabilities.Constants.from_bit(50)
      :unknown
  """
  @spec from_bit(non_neg_integer()) :: Capabilities.cap() | :unknown
  for {bit, cap} <- @table do
    def from_bit(unquote(bit)), do: unquote(cap)
  end

  def from_bit(bit) when is_integer(bit) and bit >= 0, do: :unknown

  @doc """
  The mask of an enumerable of capabilities, such as the `Cap…:` lines of proc_pid_status(5) have. Raises `ArgumentError` at what is none.

      iex> Linx.Capabilities.Constants.to_bits([:cap_chown, :cap_kill])
      0b100001
      iex> Linx.Capabilities.Constants.to_bits([:cap_nope])
      ** (ArgumentError) unknown capability atom: :cap_nope
  """
  @spec to_bits(Enumerable.t()) :: non_neg_integer()
  def to_bits(caps) do
    Enum.reduce(caps, 0, fn cap, mask ->
      bit = to_bit(cap) || raise ArgumentError, "unknown capability atom: #{inspect(cap)}"
      mask ||| 1 <<< bit
    end)
  end

  @doc """
  The capabilities of a mask, such as the `Cap…:` lines of proc_pid_status(5) have. Bits without a name are left out.

      iex> Linx.Capabilities.Constants.from_bits(0b100001) |> Enum.sort()
      [:cap_chown, :cap_kill]
      iex> Linx.Capabilities.Constants.from_bits(0x4000000000000) |> Enum.sort()
      []
  """
  @spec from_bits(non_neg_integer()) :: Capabilities.cap_set()
  def from_bits(0), do: MapSet.new()
  def from_bits(@known_mask), do: @all

  def from_bits(mask) when is_integer(mask) and mask >= 0 do
    case :persistent_term.get({__MODULE__, mask}, nil) do
      nil -> build(mask)
      set -> set
    end
  end

  # Most processes of a machine have one of a handful of sets, and building a large one costs more than reading it from
  # the kernel. So the first large ones are kept, and no others: the table must not grow with what is read.
  @kept 16
  @large 8

  defp build(mask) do
    set = MapSet.new(for {bit, cap} <- @masks, (mask &&& bit) != 0, do: cap)
    if MapSet.size(set) >= @large, do: keep(mask, set)
    set
  end

  defp keep(mask, set) do
    count = :persistent_term.get({__MODULE__, :count}, nil) || counter()
    if :atomics.add_get(count, 1, 1) <= @kept, do: :persistent_term.put({__MODULE__, mask}, set)
  end

  defp counter do
    count = :atomics.new(1, [])
    :persistent_term.put({__MODULE__, :count}, count)
    count
  end
end
