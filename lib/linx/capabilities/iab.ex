defmodule Linx.Capabilities.IAB do
  @moduledoc """
  The IAB tuple: what a process hands on to the programs it executes (cap_iab(3)).

  It has three *vectors*, each a `MapSet` of `:cap_*` atoms (and of integers for bits without a name):

  - `:inheritable`: the inheritable set
  - `:ambient`: the ambient set, always within the inheritable
  - `:bound`: what is *blocked*, that is dropped from the bounding set

  So the empty tuple is mostly harmless: it raises nothing and blocks nothing. As in the kernel,
  making a capability ambient makes it inheritable, and one that is no longer inheritable is no longer ambient.
  What is no capability raises `ArgumentError`.

      iex> alias Linx.Capabilities.IAB
      iex> iab = IAB.new() |> IAB.set_vector(:ambient, :cap_net_bind_service, true) |> IAB.set_vector(:bound, [:cap_chown], true)
      iex> iab
      #Linx.Capabilities.IAB<!cap_chown,^cap_net_bind_service>
      iex> MapSet.to_list(iab.inheritable)
      [:cap_net_bind_service]

  ## Texts

      text = item ("," item)*, or nothing
      item = any of "!" "^" "%", then a capability name in any case or a number below 64

  `!` blocks, `^` is ambient and inheritable, `%` or no mark at all is inheritable. `!` alone is not inheritable:
  that is `!%`. Items for the same capability add up. There is no `all`, and there are no spaces.
  """

  alias Linx.Capabilities.{Error, Members, Reader, Set, State, TextError}
  alias Linx.Native

  @vectors [:inheritable, :ambient, :bound]

  @type vector :: :inheritable | :ambient | :bound

  @type t :: %__MODULE__{
          inheritable: MapSet.t(Set.member()),
          ambient: MapSet.t(Set.member()),
          bound: MapSet.t(Set.member())
        }

  defstruct inheritable: MapSet.new(), ambient: MapSet.new(), bound: MapSet.new()

  defguardp is_vector(vector) when vector in @vectors

  @doc """
  The empty tuple (cap_iab_init(3)).

      iex> Linx.Capabilities.IAB.new()
      #Linx.Capabilities.IAB<>
  """
  @spec new() :: t()
  def new, do: %__MODULE__{}

  @doc """
  Whether one capability is raised in a vector (cap_iab_get_vector(3)).

      iex> {:ok, iab} = Linx.Capabilities.IAB.from_text("^cap_kill")
      iex> Linx.Capabilities.IAB.get_vector(iab, :inheritable, :cap_kill)
      true
  """
  @spec get_vector(t(), vector(), Set.member()) :: boolean()
  def get_vector(%__MODULE__{} = iab, vector, cap) when is_vector(vector) do
    cap |> Members.to_mask() |> Members.from_mask() |> MapSet.subset?(Map.fetch!(iab, vector))
  end

  @doc """
  Raises (`true`) or lowers (`false`) capabilities in a vector (cap_iab_set_vector(3)).

      iex> {:ok, iab} = Linx.Capabilities.IAB.from_text("^cap_kill,!cap_chown")
      iex> Linx.Capabilities.IAB.set_vector(iab, :inheritable, [:cap_kill], false)
      #Linx.Capabilities.IAB<!cap_chown>
  """
  @spec set_vector(t(), vector(), Set.member() | Enumerable.t(), boolean()) :: t()
  def set_vector(%__MODULE__{} = iab, vector, caps, raised?)
      when is_vector(vector) and is_boolean(raised?) do
    iab
    |> to_masks()
    |> Native.iab_set_vector(vector, Members.to_mask(caps), raised?)
    |> from_masks()
  end

  @doc """
  Replaces a vector by a flag of a set (cap_iab_fill(3)).

  The bound vector takes the inverse: what has the flag is not blocked, every other capability of the running kernel is.

      iex> alias Linx.Capabilities.{IAB, Set}
      iex> {:ok, set} = Set.from_text("all=p cap_chown-p cap_kill+i")
      iex> IAB.new() |> IAB.fill(:bound, set, :permitted) |> IAB.fill(:ambient, set, :inheritable)
      #Linx.Capabilities.IAB<!cap_chown,^cap_kill>
  """
  @spec fill(t(), vector(), Set.t(), Set.flag()) :: t()
  def fill(%__MODULE__{} = iab, vector, %Set{} = set, flag)
      when is_vector(vector) and flag in [:effective, :permitted, :inheritable] do
    mask = set |> Map.fetch!(flag) |> Members.to_mask()
    iab |> to_masks() |> Native.iab_fill(vector, mask) |> from_masks()
  end

  @doc """
  The vectors in which two tuples differ (cap_iab_compare(3)).

      iex> alias Linx.Capabilities.IAB
      iex> {:ok, iab} = IAB.from_text("^cap_kill")
      iex> IAB.compare(iab, IAB.new())
      [:inheritable, :ambient]
  """
  @spec compare(t(), t()) :: [vector()]
  def compare(%__MODULE__{} = one, %__MODULE__{} = other) do
    Enum.reject(@vectors, &MapSet.equal?(Map.fetch!(one, &1), Map.fetch!(other, &1)))
  end

  @doc """
  Reads a text (cap_iab_from_text(3)); see "Texts" above. One of more than 64 KiB is refused unread.

      iex> {:ok, iab} = Linx.Capabilities.IAB.from_text("!cap_chown,^cap_kill")
      iex> {MapSet.to_list(iab.bound), MapSet.to_list(iab.ambient)}
      {[:cap_chown], [:cap_kill]}
      iex> {:error, error} = Linx.Capabilities.IAB.from_text("cap_kill,")
      iex> Exception.message(error)
      "expected a capability name or a number below 64 at byte 9, found the end"
  """
  @spec from_text(binary()) :: {:ok, t()} | {:error, TextError.t()}
  def from_text(text) when is_binary(text) do
    case Native.iab_from_text(text) do
      {:ok, masks} -> {:ok, from_masks(masks)}
      {:error, failure} -> {:error, TextError.new(failure, text)}
    end
  end

  @doc """
  The text, as cap_iab_to_text(3) prints it: ascending, only the capabilities of the running kernel.

      iex> {:ok, iab} = Linx.Capabilities.IAB.from_text("^5,!0,%0,1")
      iex> Linx.Capabilities.IAB.to_text(iab)
      "!%cap_chown,cap_dac_override,^cap_kill"
  """
  @spec to_text(t()) :: String.t()
  def to_text(%__MODULE__{} = iab), do: iab |> to_masks() |> Native.iab_to_text()

  @doc """
  The tuple of a process (cap_iab_get_pid(3)), read as `Linx.Capabilities.read/1` reads it: `bound` is what its bounding set lacks of
  the running kernel's capabilities.

      iex> {:ok, iab} = Linx.Capabilities.IAB.from_pid(:self)
      iex> {:ok, state} = Linx.Capabilities.read(:self)
      iex> MapSet.disjoint?(iab.bound, state.bounding)
      true
      iex> {:error, error} = Linx.Capabilities.IAB.from_pid(1_234_567_890)
      iex> {error.operation, error.errno}
      {:read, :enoent}
  """
  @spec from_pid(Linx.Capabilities.target()) :: {:ok, t()} | {:error, Error.t()}
  def from_pid(target) do
    with {:ok, task} <- Reader.task(target) do
      {:ok, task.masks |> Native.iab_from_state() |> from_masks()}
    end
  end

  @doc """
  The tuple of a state that has been read already, of a thread, say; else as `from_pid/1` (cap_iab_get_pid(3)).

      iex> {:ok, state} = Linx.Capabilities.read(:self)
      iex> {:ok, Linx.Capabilities.IAB.from_state(state)} == Linx.Capabilities.IAB.from_pid(:self)
      true
  """
  @spec from_state(State.t()) :: t()
  def from_state(%State{} = state) do
    [state.effective, state.permitted, state.inheritable, state.bounding, state.ambient]
    |> Enum.map(&Members.to_mask/1)
    |> List.to_tuple()
    |> Native.iab_from_state()
    |> from_masks()
  end

  # A tuple made by hand may have ambient capabilities that are not inheritable; the model makes them so,
  # whatever it is asked to do.
  @doc false
  @spec to_masks(t()) :: Native.iab()
  def to_masks(%__MODULE__{} = iab) do
    {Members.to_mask(iab.inheritable), Members.to_mask(iab.ambient), Members.to_mask(iab.bound)}
    |> Native.iab_set_vector(:bound, 0, true)
  end

  defp from_masks({inheritable, ambient, bound}) do
    %__MODULE__{
      inheritable: Members.from_mask(inheritable),
      ambient: Members.from_mask(ambient),
      bound: Members.from_mask(bound)
    }
  end

  defimpl String.Chars do
    def to_string(iab), do: Linx.Capabilities.IAB.to_text(iab)
  end

  defimpl Inspect do
    def inspect(iab, _opts), do: "#Linx.Capabilities.IAB<#{iab}>"
  end
end
