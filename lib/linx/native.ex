defmodule Linx.Native do
  @moduledoc false
  # The functions of native/linx-nif. They take and give plain terms; `Linx.Capabilities` gives them a shape.

  @on_load :load

  @typedoc "The effective, permitted, inheritable, bounding and ambient masks."
  @type masks ::
          {non_neg_integer(), non_neg_integer(), non_neg_integer(), non_neg_integer(),
           non_neg_integer()}

  @typedoc "The effective, permitted and inheritable masks."
  @type triple :: {non_neg_integer(), non_neg_integer(), non_neg_integer()}

  @typedoc "The inheritable, ambient and blocked masks."
  @type iab :: {non_neg_integer(), non_neg_integer(), non_neg_integer()}

  @type vector :: :inheritable | :ambient | :bound

  @typedoc "Where a text is wrong, and what was expected there."
  @type text_failure :: {non_neg_integer(), String.t()}

  @type external_failure ::
          :bad_magic | {:too_short | :trailing | :out_of_range, non_neg_integer()}

  @typedoc "The revision, the effective bit, the masks and the rootid."
  @type attribute :: {1..3, boolean(), triple(), non_neg_integer()}

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

  # The triple of a text: effective, permitted and inheritable mask.
  @spec set_from_text(binary()) :: {:ok, triple()} | {:error, text_failure()}
  def set_from_text(_text), do: :erlang.nif_error(:nif_not_loaded)

  @spec set_to_text(triple()) :: String.t()
  def set_to_text(_masks), do: :erlang.nif_error(:nif_not_loaded)

  # The portable binary form, each flag of which has at least so many bytes.
  @spec set_export(triple(), 0..8) :: {:ok, binary()} | {:error, external_failure()}
  def set_export(_masks, _min_length), do: :erlang.nif_error(:nif_not_loaded)

  @spec set_import(binary()) :: {:ok, triple()} | {:error, external_failure()}
  def set_import(_binary), do: :erlang.nif_error(:nif_not_loaded)

  @spec iab_set_vector(iab(), vector(), non_neg_integer(), boolean()) :: iab()
  def iab_set_vector(_masks, _vector, _caps, _raised), do: :erlang.nif_error(:nif_not_loaded)

  @spec iab_fill(iab(), vector(), non_neg_integer()) :: iab()
  def iab_fill(_masks, _vector, _caps), do: :erlang.nif_error(:nif_not_loaded)

  @spec iab_from_state(masks()) :: iab()
  def iab_from_state(_masks), do: :erlang.nif_error(:nif_not_loaded)

  @spec iab_from_text(binary()) :: {:ok, iab()} | {:error, text_failure()}
  def iab_from_text(_text), do: :erlang.nif_error(:nif_not_loaded)

  @spec iab_to_text(iab()) :: String.t()
  def iab_to_text(_masks), do: :erlang.nif_error(:nif_not_loaded)

  # The capabilities of a regular file, or an errno.
  @spec file_get(binary()) :: {:ok, attribute()} | {:error, pos_integer()}
  def file_get(_path), do: :erlang.nif_error(:nif_not_loaded)

  @spec file_set(binary(), triple(), non_neg_integer()) :: {:ok, {}} | {:error, pos_integer()}
  def file_set(_path, _masks, _rootid), do: :erlang.nif_error(:nif_not_loaded)

  @spec file_remove(binary()) :: {:ok, {}} | {:error, pos_integer()}
  def file_remove(_path), do: :erlang.nif_error(:nif_not_loaded)

  # What the bytes of an attribute say.
  @spec file_decode(binary()) :: {:ok, attribute()} | {:error, pos_integer()}
  def file_decode(_bytes), do: :erlang.nif_error(:nif_not_loaded)
end
