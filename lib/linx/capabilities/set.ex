defmodule Linx.Capabilities.Set do
  @moduledoc """
  Effective, permitted and inheritable capabilities: what libcap calls a `cap_t` (cap_init(3)).

  A process has such a triple, and so has a file (`Linx.Capabilities.File`). Each of its three *flags* is a
  `MapSet` of `:cap_*` atoms. Texts and binary forms can also hold bits that have no name yet; those are plain integers
  from 41 to 63. Any function that takes capabilities takes an integer from 0 to 63 for its bit. What is no capability raises
  `ArgumentError`.

  Nothing here checks what the kernel would allow, and nothing is changed in place: `cap_dup` has no counterpart,
  since none is needed.

      iex> alias Linx.Capabilities.Set
      iex> set = Set.new() |> Set.set_flag(:permitted, [:cap_chown, :cap_kill], true) |> Set.fill(:effective, :permitted)
      iex> set
      #Linx.Capabilities.Set<cap_chown,cap_kill=ep>
      iex> to_string(set)
      "cap_chown,cap_kill=ep"

  ## Texts

  The grammar is that of cap_from_text(3), as libcap's C library reads it:

      text   = clause (space clause)*, or nothing
      clause = list ("=" flags | op flags) (op flags)*, or "=" flags
      list   = item ("," item)*
      item   = a capability name in any case, "all", or a number below 64
      op     = "+" or "-"
      flags  = any of "e", "i", "p"

  `=` takes every flag from the listed capabilities and gives them those that follow; without a list it
  means all capabilities *of the running kernel*, as `all` does. So what such a text means, and how a set is printed, depends
  on the kernel. Numbers with leading zeros and in hex, which C and Go read differently, are refused.
  """

  alias Linx.Capabilities.{Members, State, TextError}
  alias Linx.Native

  @flags [:effective, :permitted, :inheritable]
  @max_id 0xFFFF_FFFF

  @type flag :: :effective | :permitted | :inheritable

  @typedoc "A capability, or the number of a bit."
  @type member :: Linx.Capabilities.cap() | 0..63

  @typedoc """
  `ns_owner` matters for files only: the uid that is root in the user namespace the capabilities are for;
  0 for the present one (cap_set_nsowner in cap_get_file(3)).
  """
  @type t :: %__MODULE__{
          effective: MapSet.t(member()),
          permitted: MapSet.t(member()),
          inheritable: MapSet.t(member()),
          ns_owner: non_neg_integer()
        }

  @typedoc """
  Why a binary form is none: its first four bytes are others (`:bad_magic`), it has only that many bytes
  (`:too_short`), so many bytes follow it (`:trailing`), its flags have more than 8 bytes (`:out_of_range`).
  """
  @type import_error ::
          :bad_magic | {:too_short | :trailing | :out_of_range, non_neg_integer()}

  defstruct effective: MapSet.new(),
            permitted: MapSet.new(),
            inheritable: MapSet.new(),
            ns_owner: 0

  defguardp is_flag(flag) when flag in @flags

  @doc """
  The set without any capability (cap_init(3)).

      iex> Linx.Capabilities.Set.new() |> to_string()
      "="
  """
  @spec new() :: t()
  def new, do: %__MODULE__{}

  @doc """
  A set from a keyword list of flags and `:ns_owner`, or the triple of a process state (cap_get_proc(3)).

  Raises `ArgumentError` for another key, for what is no capability and for an owner that is no uid.

      iex> Linx.Capabilities.Set.new(permitted: [:cap_chown], effective: [:cap_chown])
      #Linx.Capabilities.Set<cap_chown=ep>
      iex> {:ok, state} = Linx.Capabilities.read(:self)
      iex> Linx.Capabilities.Set.new(state).permitted == state.permitted
      true
  """
  @spec new(keyword() | State.t()) :: t()
  def new(%State{effective: effective, permitted: permitted, inheritable: inheritable}) do
    %__MODULE__{effective: effective, permitted: permitted, inheritable: inheritable}
  end

  def new(fields) when is_list(fields), do: Enum.reduce(fields, new(), &put/2)

  @doc """
  Whether one capability has a flag (cap_get_flag(3)).

      iex> set = Linx.Capabilities.Set.new(permitted: [:cap_kill])
      iex> Linx.Capabilities.Set.get_flag(set, :permitted, :cap_kill)
      true
      iex> Linx.Capabilities.Set.get_flag(set, :effective, :cap_kill)
      false
  """
  @spec get_flag(t(), flag(), member()) :: boolean()
  def get_flag(%__MODULE__{} = set, flag, cap) when is_flag(flag) do
    cap |> members() |> MapSet.subset?(Map.fetch!(set, flag))
  end

  @doc """
  Gives a flag to capabilities (`true`) or takes it from them (`false`) (cap_set_flag(3)).

      iex> set = Linx.Capabilities.Set.new(permitted: [:cap_kill, :cap_chown])
      iex> Linx.Capabilities.Set.set_flag(set, :permitted, [:cap_kill], false)
      #Linx.Capabilities.Set<cap_chown=p>
      iex> Linx.Capabilities.Set.set_flag(set, :permitted, 63, true)
      #Linx.Capabilities.Set<cap_chown,cap_kill=p 63+p>
  """
  @spec set_flag(t(), flag(), member() | Enumerable.t(), boolean()) :: t()
  def set_flag(%__MODULE__{} = set, flag, caps, true) when is_flag(flag) do
    Map.update!(set, flag, &MapSet.union(&1, members(caps)))
  end

  def set_flag(%__MODULE__{} = set, flag, caps, false) when is_flag(flag) do
    Map.update!(set, flag, &MapSet.difference(&1, members(caps)))
  end

  @doc """
  Copies one flag (`from`) to another (`to`) (cap_fill(3)).

      iex> set = Linx.Capabilities.Set.new(permitted: [:cap_kill])
      iex> Linx.Capabilities.Set.fill(set, :effective, :permitted)
      #Linx.Capabilities.Set<cap_kill=ep>
  """
  @spec fill(t(), flag(), flag()) :: t()
  def fill(%__MODULE__{} = set, to, from), do: fill_flag(set, to, set, from)

  @doc """
  Copies the flag `from` of another set to the flag `to` (cap_fill_flag(3)).

      iex> other = Linx.Capabilities.Set.new(permitted: [:cap_kill])
      iex> Linx.Capabilities.Set.new() |> Linx.Capabilities.Set.fill_flag(:inheritable, other, :permitted)
      #Linx.Capabilities.Set<cap_kill=i>
  """
  @spec fill_flag(t(), flag(), t(), flag()) :: t()
  def fill_flag(%__MODULE__{} = set, to, %__MODULE__{} = reference, from)
      when is_flag(to) and is_flag(from) do
    Map.replace!(set, to, Map.fetch!(reference, from))
  end

  @doc """
  Takes every flag from every capability, and the namespace owner (cap_clear(3)).

      iex> Linx.Capabilities.Set.new(permitted: [:cap_kill], ns_owner: 1000) |> Linx.Capabilities.Set.clear()
      #Linx.Capabilities.Set<=>
  """
  @spec clear(t()) :: t()
  def clear(%__MODULE__{}), do: new()

  @doc """
  Takes one flag from every capability (cap_clear_flag(3)).

      iex> set = Linx.Capabilities.Set.new(permitted: [:cap_kill], effective: [:cap_kill])
      iex> Linx.Capabilities.Set.clear_flag(set, :effective)
      #Linx.Capabilities.Set<cap_kill=p>
  """
  @spec clear_flag(t(), flag()) :: t()
  def clear_flag(%__MODULE__{} = set, flag) when is_flag(flag) do
    Map.replace!(set, flag, MapSet.new())
  end

  @doc """
  The flags in which two sets differ (cap_compare(3)); the namespace owner is not asked.

      iex> set = Linx.Capabilities.Set.new(permitted: [:cap_kill], effective: [:cap_kill])
      iex> Linx.Capabilities.Set.compare(set, Linx.Capabilities.Set.clear_flag(set, :effective))
      [:effective]
      iex> Linx.Capabilities.Set.compare(set, set)
      []
  """
  @spec compare(t(), t()) :: [flag()]
  def compare(%__MODULE__{} = one, %__MODULE__{} = other) do
    Enum.reject(@flags, &MapSet.equal?(Map.fetch!(one, &1), Map.fetch!(other, &1)))
  end

  @doc """
  Reads a text (cap_from_text(3)); see "Texts" above. One of more than 64 KiB is refused unread.

      iex> Linx.Capabilities.Set.from_text("cap_chown,cap_setuid=ip cap_setuid+e")
      {:ok, Linx.Capabilities.Set.new(
        effective: [:cap_setuid], permitted: [:cap_chown, :cap_setuid], inheritable: [:cap_chown, :cap_setuid])}
      iex> {:error, error} = Linx.Capabilities.Set.from_text("cap_chown=x")
      iex> Exception.message(error)
      "expected a flag, `+`, `-`, a space or the end at byte 10, found \\"x\\""
  """
  @spec from_text(binary()) :: {:ok, t()} | {:error, TextError.t()}
  def from_text(text) when is_binary(text) do
    case Native.set_from_text(text) do
      {:ok, masks} -> {:ok, from_masks(masks)}
      {:error, failure} -> {:error, TextError.new(failure, text)}
    end
  end

  @doc """
  The canonical text, as cap_to_text(3) prints it. `from_text/1` reads it back; the namespace owner is not in it.

      iex> set = Linx.Capabilities.Set.new(permitted: [:cap_setuid], inheritable: [:cap_chown])
      iex> Linx.Capabilities.Set.to_text(set)
      "cap_chown=i cap_setuid+p"
  """
  @spec to_text(t()) :: String.t()
  def to_text(%__MODULE__{} = set), do: set |> to_masks() |> Native.set_to_text()

  @doc """
  The portable binary form (cap_copy_ext(3)): a magic number, a length, and that many bytes for each flag. The namespace owner is not
  in it.

  The length is what the set needs, and at least `min_length`, from 0 to 8. libcap always writes 8.

      iex> set = Linx.Capabilities.Set.new(permitted: [:cap_linux_immutable])
      iex> Linx.Capabilities.Set.export(set, 0)
      <<0x90, 0xC2, 0x01, 0x51, 2, 0, 0, 0, 0, 2, 0>>
      iex> Linx.Capabilities.Set.export(set) |> byte_size()
      29
  """
  @spec export(t(), 0..8) :: binary()
  def export(%__MODULE__{} = set, min_length \\ 8) when min_length in 0..8 do
    {:ok, binary} = set |> to_masks() |> Native.set_export(min_length)
    binary
  end

  @doc """
  Reads the portable binary form (cap_copy_int(3)). Unlike libcap it takes no bytes beyond the end of the form, nor flags longer than 8 bytes.

      iex> set = Linx.Capabilities.Set.new(permitted: [:cap_chown, 50])
      iex> set |> Linx.Capabilities.Set.export() |> Linx.Capabilities.Set.import()
      {:ok, set}
      iex> Linx.Capabilities.Set.import("not a set")
      {:error, :bad_magic}
  """
  @spec import(binary()) :: {:ok, t()} | {:error, import_error()}
  def import(binary) when is_binary(binary) do
    with {:ok, masks} <- Native.set_import(binary), do: {:ok, from_masks(masks)}
  end

  @doc false
  @spec to_masks(t()) :: Native.triple()
  def to_masks(%__MODULE__{} = set) do
    {Members.to_mask(set.effective), Members.to_mask(set.permitted),
     Members.to_mask(set.inheritable)}
  end

  @doc false
  @spec from_masks(Native.triple(), non_neg_integer()) :: t()
  def from_masks({effective, permitted, inheritable}, ns_owner \\ 0) do
    %__MODULE__{
      effective: Members.from_mask(effective),
      permitted: Members.from_mask(permitted),
      inheritable: Members.from_mask(inheritable),
      ns_owner: ns_owner
    }
  end

  defp put({flag, caps}, set) when is_flag(flag), do: Map.replace!(set, flag, members(caps))

  defp put({:ns_owner, uid}, set) when is_integer(uid) and uid in 0..@max_id,
    do: %{set | ns_owner: uid}

  defp put(field, _set), do: raise(ArgumentError, "no field of a set: #{inspect(field)}")

  defp members(caps), do: caps |> Members.to_mask() |> Members.from_mask()

  defimpl String.Chars do
    def to_string(set), do: Linx.Capabilities.Set.to_text(set)
  end

  defimpl Inspect do
    def inspect(set, _opts) do
      "#Linx.Capabilities.Set<#{set}#{owner(set.ns_owner)}>"
    end

    # As `getcap -n` prints it.
    defp owner(0), do: ""
    defp owner(uid), do: " [rootid=#{uid}]"
  end
end
