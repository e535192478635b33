defmodule Linx.Capabilities.File do
  @moduledoc """
  The capabilities of files: what an `execve` of them gives (capabilities(7), "File capabilities"; cap_get_file(3)).

      iex> path = Path.join(System.tmp_dir!(), "linx-doctest-#{System.pid()}")
      iex> File.write!(path, "")
      iex> with :ok <- Linx.Capabilities.File.set(path, "cap_dac_override,cap_sys_tty_config+ep"),
      ...>      {:ok, set} <- Linx.Capabilities.File.get(path),
      ...>      :ok <- Linx.Capabilities.File.remove(path) do
      ...>   to_string(set)
      ...> else
      ...>   {:error, %{errno: :eperm}} -> "cap_dac_override,cap_sys_tty_config=ep"
      ...> end
      "cap_dac_override,cap_sys_tty_config=ep"
      iex> Linx.Capabilities.File.get(path) |> elem(1) |> Map.take([:operation, :errno])
      %{operation: :get_file, errno: :enodata}
      iex> File.rm!(path)
      :ok

  A file has a permitted and an inheritable set, and one *effective bit* for both. As in libcap, the effective set of what is read is
  empty or all of the two, and what is set has to be empty or cover the two.

  Writing to a file and a change of its owner erase its capabilities (capabilities(7)). Erlang's functions for file modes
  do the latter as well: after `File.chmod/2` or `File.touch/2` there are none.

  ## Which file

  A path is resolved once; all the rest happens to the file found then. A swap of the path for
  a symbolic link meanwhile changes nothing else. Only regular files are taken, and no file is opened for reading or writing:
  a FIFO does not block, a device does not notice, and a file that may not be read tells its capabilities all the same. Procfs has
  to be mounted at `/proc`.

  ## Errors

  `{:error, error}` with a `Linx.Capabilities.Error` that has the path, the operation (`:get_file`, `:set_file`, `:remove_file`), and:

  | `errno` | when |
  |---|---|
  | `:eloop` | the path ends in a symbolic link |
  | `:eisdir` | it is a directory |
  | `:einval` | it is neither file, link nor directory (libcap says `EINVAL` for those, too); or `set/2`: the effective set is not empty and does not cover the others (nothing was done), or the kernel refuses the namespace owner; or the attribute is malformed |
  | `:enodata` | the file has no capabilities |
  | `:eopnotsupp` | the file system has no place for capabilities |
  | `:eperm` | `cap_setfcap` is not effective |
  | `:eoverflow` | the capabilities are for a user namespace whose root has no id in this one |
  | `:enoent`, `:enotdir`, `:eacces`, `:erofs`, … | as from open(2) and setxattr(2) |
  | `:enosys` | there is no procfs at `/proc` |
  """

  alias Linx.Capabilities.{Error, Members, Set, TextError}
  alias Linx.Native

  @typedoc """
  An attribute `security.capability` as it is stored (`struct vfs_ns_cap_data` in `linux/capability.h`):

  - `revision`: 1 (32 capabilities), 2 (64) or 3 (64, and a namespace)
  - `effective`: the effective bit
  - `rootid`: the uid that is root in the user namespace the capabilities are for; 0 in revisions 1 and 2
  """
  @type attribute :: %{
          revision: 1..3,
          effective: boolean(),
          permitted: MapSet.t(Set.member()),
          inheritable: MapSet.t(Set.member()),
          rootid: non_neg_integer()
        }

  @doc """
  The capabilities of a file as a set (cap_get_file(3)), which has the rootid as its `ns_owner`.

      iex> {:error, error} = Linx.Capabilities.File.get("/proc/self/status")
      iex> Exception.message(error)
      "capabilities get_file failed on /proc/self/status: eopnotsupp (errno 95)"
  """
  @spec get(Path.t()) :: {:ok, Set.t()} | {:error, Error.t()}
  def get(path) do
    with {:ok, {_revision, _effective, masks, rootid}} <- read(path) do
      {:ok, Set.from_masks(masks, rootid)}
    end
  end

  @doc """
  The capabilities of a file as they are stored: also the revision, and the effective bit even where it is over nothing.

  See capabilities(7), "File capability extended attribute versioning". The kernel shows revision 3 only where the rootid says something: in the initial user namespace one with rootid 0 reads as revision 2.

      iex> {:error, error} = Linx.Capabilities.File.get_attribute("/")
      iex> error.errno
      :eisdir
  """
  @spec get_attribute(Path.t()) :: {:ok, attribute()} | {:error, Error.t()}
  def get_attribute(path) do
    with {:ok, stored} <- read(path), do: {:ok, attribute(stored)}
  end

  @doc """
  Reads the bytes of an attribute (`struct vfs_ns_cap_data` in include/uapi/linux/capability.h), from an archive, say. `{:error, :bad_attribute}` if they are none: another revision, size or flag than
  the kernel knows.

      iex> {:ok, attribute} = Linx.Capabilities.File.decode_attribute(<<0x01000001::little-32, 1::little-32, 0::32>>)
      iex> {attribute.revision, attribute.effective, MapSet.to_list(attribute.permitted)}
      {1, true, [:cap_chown]}
      iex> Linx.Capabilities.File.decode_attribute("")
      {:error, :bad_attribute}
  """
  @spec decode_attribute(binary()) :: {:ok, attribute()} | {:error, :bad_attribute}
  def decode_attribute(bytes) when is_binary(bytes) do
    case Native.file_decode(bytes) do
      {:ok, stored} -> {:ok, attribute(stored)}
      {:error, _einval} -> {:error, :bad_attribute}
    end
  end

  @doc """
  Gives a file the capabilities of a set or of a text (cap_set_file(3)), instead of those it had.

  Stored is revision 3 if the set has a namespace owner, else revision 2. An empty set is stored as such, and is more than nothing: with it a
  set-user-ID-root program gives an ordinary user no capability. `remove/1` is the way back. It takes
  `cap_setfcap` in the effective set. A text that is none gives a `Linx.Capabilities.TextError`.

      iex> {:error, error} = Linx.Capabilities.File.set("/bin/true", "cap_chown=ep cap_kill=p")
      iex> {error.operation, error.errno}
      {:set_file, :einval}
      iex> {:error, %Linx.Capabilities.TextError{position: 9}} = Linx.Capabilities.File.set("/bin/true", "cap_chown")
  """
  @spec set(Path.t(), Set.t() | binary()) :: :ok | {:error, Error.t() | TextError.t()}
  def set(path, %Set{} = set) do
    path = IO.chardata_to_string(path)
    path |> Native.file_set(Set.to_masks(set), set.ns_owner) |> done(path, :set_file)
  end

  def set(path, text) when is_binary(text) do
    with {:ok, set} <- Set.from_text(text), do: set(path, set)
  end

  @doc """
  Takes its capabilities from a file (cap_set_file(3) with `NULL`). `:enodata` if it has none.

      iex> {:error, error} = Linx.Capabilities.File.remove("/nowhere")
      iex> {error.operation, error.errno}
      {:remove_file, :enoent}
  """
  @spec remove(Path.t()) :: :ok | {:error, Error.t()}
  def remove(path) do
    path = IO.chardata_to_string(path)
    path |> Native.file_remove() |> done(path, :remove_file)
  end

  defp read(path) do
    path = IO.chardata_to_string(path)

    with {:error, errno} <- Native.file_get(path) do
      {:error, Error.from_posix(path, :get_file, errno)}
    end
  end

  defp attribute({revision, effective, {_effective, permitted, inheritable}, rootid}) do
    %{
      revision: revision,
      effective: effective,
      permitted: Members.from_mask(permitted),
      inheritable: Members.from_mask(inheritable),
      rootid: rootid
    }
  end

  defp done({:ok, {}}, _path, _operation), do: :ok

  defp done({:error, errno}, path, operation),
    do: {:error, Error.from_posix(path, operation, errno)}
end
