defmodule Linx.Capabilities.State do
  @moduledoc """
  The five capability sets of a process, as `Linx.Capabilities.read/1` gives them.

  See capabilities(7), "Thread capability sets". Inspected, it shows the size of each:

      iex> %Linx.Capabilities.State{bounding: MapSet.new([:cap_kill])}
      #Linx.Capabilities.State<eff=0 prm=0 inh=0 bnd=1 amb=0>
  """

  alias Linx.Capabilities
  alias Linx.Capabilities.Constants

  @typedoc """
  - `effective`: what the kernel checks
  - `permitted`: what the process may make effective
  - `inheritable`: what an `execve` of a file with matching inheritable bits keeps
  - `bounding`: the limit of what an `execve` can give
  - `ambient`: what an `execve` of an unprivileged file keeps
  """
  @type t :: %__MODULE__{
          effective: Capabilities.cap_set(),
          permitted: Capabilities.cap_set(),
          inheritable: Capabilities.cap_set(),
          bounding: Capabilities.cap_set(),
          ambient: Capabilities.cap_set()
        }

  defstruct effective: MapSet.new(),
            permitted: MapSet.new(),
            inheritable: MapSet.new(),
            bounding: MapSet.new(),
            ambient: MapSet.new()

  @doc false
  @spec from_masks(Linx.Native.masks()) :: t()
  def from_masks({effective, permitted, inheritable, bounding, ambient}) do
    set = Constants.from_bits(permitted)

    %__MODULE__{
      effective: shared(effective, permitted, set),
      permitted: set,
      inheritable: Constants.from_bits(inheritable),
      bounding: shared(bounding, permitted, set),
      ambient: Constants.from_bits(ambient)
    }
  end

  # Most processes have two or three equal sets, and building one is what a read costs most.
  defp shared(mask, mask, set), do: set
  defp shared(mask, _other, _set), do: Constants.from_bits(mask)

  defimpl Inspect do
    def inspect(state, _opts) do
      "#Linx.Capabilities.State<eff=#{MapSet.size(state.effective)} " <>
        "prm=#{MapSet.size(state.permitted)} inh=#{MapSet.size(state.inheritable)} " <>
        "bnd=#{MapSet.size(state.bounding)} amb=#{MapSet.size(state.ambient)}>"
    end
  end
end
