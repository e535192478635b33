defmodule Linx.Native do
  @moduledoc false
  # The functions of native/linx-nif. They take and give plain terms; `Linx.Capabilities` gives them a shape.

  @on_load :load

  @typedoc "The effective, permitted, inheritable, bounding and ambient masks."
  @type masks ::
          {non_neg_integer(), non_neg_integer(), non_neg_integer(), non_neg_integer(),
           non_neg_integer()}

  @doc false
  def load do
    # A recompilation deletes the module first; until it is purged it holds the library, which
    # cannot be upgraded in place.
    :code.purge(__MODULE__)

    :linx
    |> :code.priv_dir()
    |> :filename.join(~c"linx_nif")
    |> :erlang.load_nif(0)
  end

  # The masks in a status file of procfs, or the errno of the system call that failed.
  @spec read_status(binary()) :: {:ok, masks()} | {:error, pos_integer() | :bad_status}
  def read_status(_path), do: :erlang.nif_error(:nif_not_loaded)

  # The masks in a status text.
  @spec parse_status(binary()) :: {:ok, masks()} | {:error, :bad_status}
  def parse_status(_text), do: :erlang.nif_error(:nif_not_loaded)

  # Whether /proc/self/status tells a bounding set.
  @spec supported?() :: boolean()
  def supported?, do: :erlang.nif_error(:nif_not_loaded)

  # Adds the capabilities of a list to a mask. `{:more, mask, rest}` after a slice that is no burden to a scheduler.
  @spec add_caps(list(), non_neg_integer()) ::
          {:ok, non_neg_integer()}
          | {:more, non_neg_integer(), list()}
          | {:error, {:bad_capability, term()} | :improper_list}
  def add_caps(_caps, _mask), do: :erlang.nif_error(:nif_not_loaded)

  # The bit of a secure bit's name, `nil` for what is none.
  @spec securebit(term()) :: pos_integer() | nil
  def securebit(_term), do: :erlang.nif_error(:nif_not_loaded)

  # The names of the secure bits in a number, from the lowest up.
  @spec securebits_names(non_neg_integer()) :: [atom()]
  def securebits_names(_bits), do: :erlang.nif_error(:nif_not_loaded)
end
