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

  @type id :: 0..0xFFFF_FFFF

  @typedoc "Real, effective, saved and file-system id."
  @type ids :: {id(), id(), id(), id()}

  @typedoc "Permitted, inheritable, the effective bit and the rootid."
  @type file_sets :: {non_neg_integer(), non_neg_integer(), boolean(), id()}

  @typedoc "What execve asks of a thread."
  @type task :: %{
          state: masks(),
          uid: ids(),
          gid: ids(),
          groups: [id()],
          securebits: non_neg_integer(),
          no_new_privs: boolean(),
          shared_fs: boolean(),
          weakly_traced: boolean()
        }

  @typedoc "What execve asks of a file."
  @type program :: %{
          file_caps: file_sets() | nil,
          owner: id(),
          group: id(),
          mode: non_neg_integer(),
          nosuid: boolean(),
          foreign_namespace: boolean()
        }

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

  # The working directory of the VM, `nil` if it has been removed.
  @spec cwd() :: binary() | nil
  def cwd, do: :erlang.nif_error(:nif_not_loaded)

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

  # Whether a term is a mode that can be entered.
  @spec mode?(term()) :: boolean()
  def mode?(_term), do: :erlang.nif_error(:nif_not_loaded)

  # Whether entering a mode empties the inheritable and the ambient set.
  @spec mode_empties(:nopriv | :pure1e_init | :pure1e | :hybrid) :: {boolean(), boolean()}
  def mode_empties(_mode), do: :erlang.nif_error(:nif_not_loaded)

  # Every setting of a launch, in the order that works.
  @spec settings() :: [atom()]
  def settings, do: :erlang.nif_error(:nif_not_loaded)

  # The name of the capability that something takes.
  @spec needs(:drop_bounding | :inherit | :set_groups | :set_uid | :set_file_caps) :: String.t()
  def needs(_privilege), do: :erlang.nif_error(:nif_not_loaded)

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

  # The bit of a capability's name in any spelling of libcap's, or of a number below 64.
  @spec cap_from_text(binary()) :: 0..63 | nil
  def cap_from_text(_text), do: :erlang.nif_error(:nif_not_loaded)

  # The capability name that a wrong one may have meant.
  @spec nearest_name(binary()) :: String.t() | nil
  def nearest_name(_text), do: :erlang.nif_error(:nif_not_loaded)

  # How many capabilities the running kernel has.
  @spec max_bits() :: 1..64
  def max_bits, do: :erlang.nif_error(:nif_not_loaded)

  # Pid, parent, name, effective uid and sets of every process in a procfs.
  @spec list_processes(binary()) ::
          {:ok, [{pos_integer(), non_neg_integer(), binary(), id(), masks()}]}
          | {:error, pos_integer() | :bad_status}
  def list_processes(_proc), do: :erlang.nif_error(:nif_not_loaded)

  # Id and sets of every thread in a task directory of procfs.
  @spec list_threads(binary()) ::
          {:ok, [{pos_integer(), masks()}]} | {:error, pos_integer() | :bad_status}
  def list_threads(_dir), do: :erlang.nif_error(:nif_not_loaded)

  # All that a status file tells of privilege: sets, user ids, group ids, groups, no_new_privs.
  @spec read_task(binary()) ::
          {:ok, {masks(), ids(), ids(), [id()], boolean() | nil}}
          | {:error, pos_integer() | :bad_status}
  def read_task(_path), do: :erlang.nif_error(:nif_not_loaded)

  # The secure bits of the calling thread.
  @spec securebits() :: {:ok, non_neg_integer()} | {:error, pos_integer()}
  def securebits, do: :erlang.nif_error(:nif_not_loaded)

  # libcap's name for a combination of secure bits and sets.
  @spec mode(non_neg_integer(), masks()) ::
          :uncertain | :nopriv | :pure1e_init | :pure1e | :hybrid
  def mode(_securebits, _masks), do: :erlang.nif_error(:nif_not_loaded)

  # The rules of execve one by one, and the task after it, or the mask of what the file insists on in vain.
  @spec explain_execve(task(), program(), %{version: {id(), id()}, max_bits: 0..64}) ::
          {[map()], {:ok, map()} | {:error, non_neg_integer()}}
  def explain_execve(_task, _program, _kernel), do: :erlang.nif_error(:nif_not_loaded)

  # The file whose rights count when a path is executed, below a root, and the interpreters that lead there.
  @spec exec_file(binary() | nil, binary()) ::
          {:ok, {program(), [binary()]}} | {:error, pos_integer()}
  def exec_file(_root, _path), do: :erlang.nif_error(:nif_not_loaded)

  # A triple as a file stores it.
  @spec file_sets(triple()) :: {:ok, file_sets()} | {:error, pos_integer()}
  def file_sets(_triple), do: :erlang.nif_error(:nif_not_loaded)
end
