defmodule Linx.Capabilities.Execve.Task do
  @moduledoc false
  # Who executes: from a state and options, or a parked session, to the thread as the rules see it.

  alias Linx.Capabilities.{Mask, Procfs, Reader, Securebits, State}
  alias Linx.Native
  alias Linx.Process.Session

  # 2^32 - 1 means "leave it unchanged" to the kernel.
  @ids 0..0xFFFF_FFFE
  @id_keys [:uid, :euid, :fsuid, :gid, :egid, :fsgid]
  @flags [:no_new_privs, :shared_fs, :weakly_traced]
  @keys @id_keys ++ @flags ++ [:groups, :securebits, :kernel, :max_bits]

  @typedoc "Where the program's path leads from."
  @type place :: %{root: Path.t() | nil, cwd: Path.t() | nil}

  @type kernel :: %{version: {non_neg_integer(), non_neg_integer()}, max_bits: 0..64}

  @spec new(State.t() | pid(), keyword()) ::
          {:ok, Native.task(), place(), kernel()} | {:error, term()}
  def new(subject, options) do
    with {:ok, options} <- check(options),
         {:ok, task, place} <- subject(subject) do
      {:ok, override(task, options), place, kernel(options)}
    end
  end

  defp subject(%State{} = state) do
    with {:ok, masks} <- masks(state) do
      task = %{
        state: masks,
        uid: {0, 0, 0, 0},
        gid: {0, 0, 0, 0},
        groups: [],
        securebits: 0,
        no_new_privs: false,
        shared_fs: false,
        weakly_traced: false
      }

      {:ok, task, %{root: nil, cwd: nil}}
    end
  end

  defp subject(session) when is_pid(session) do
    with {:ok, checkpoint} <- Session.checkpoint(session),
         {:ok, status} <- Reader.task(checkpoint.host_pid),
         :ok <- check_namespace(checkpoint.host_pid) do
      task = %{
        state: status.masks,
        uid: status.uid,
        gid: status.gid,
        groups: status.groups,
        securebits: checkpoint.securebits,
        no_new_privs: checkpoint.no_new_privs or status.no_new_privs == true,
        shared_fs: false,
        weakly_traced: false
      }

      {:ok, task, %{root: root(checkpoint.host_pid), cwd: checkpoint.cwd}}
    end
  end

  defp masks(state) do
    sets = [state.effective, state.permitted, state.inheritable, state.bounding, state.ambient]

    with {:ok, masks} <- cast(sets, []), do: {:ok, List.to_tuple(masks)}
  end

  defp cast([], masks), do: {:ok, Enum.reverse(masks)}

  defp cast([set | rest], masks) do
    with {:ok, mask} <- Mask.cast(set), do: cast(rest, [mask | masks])
  end

  # The ids in a status file are those of the reader's user namespace, and the rules ask for those of the child's.
  defp check_namespace(pid) do
    if uid_map(pid) == uid_map(:self), do: :ok, else: {:error, :user_namespace}
  end

  defp uid_map(pid) do
    case pid |> Procfs.uid_map() |> File.read() do
      {:ok, map} -> map
      # A kernel without user namespaces.
      {:error, _reason} -> ""
    end
  end

  # A child that has a root of its own came by it through privilege; who lacks that privilege may not look, and need not.
  defp root(pid) do
    root = Procfs.process_root(pid)
    if match?({:ok, _}, File.stat(root)), do: root
  end

  defp check(options) do
    if Keyword.keyword?(options),
      do: check_each(options, options),
      else: {:error, {:bad_options, options}}
  end

  defp check_each([], options), do: {:ok, options}

  defp check_each([{key, _value} | _], _options) when key not in @keys,
    do: {:error, {:unknown_option, key}}

  defp check_each([{key, value} | rest], options) do
    if valid?(key, value),
      do: check_each(rest, options),
      else: {:error, {:bad_option, {key, value}}}
  end

  defp valid?(key, id) when key in @id_keys, do: id?(id)
  defp valid?(key, flag) when key in @flags, do: is_boolean(flag)
  defp valid?(:groups, ids), do: ids?(ids)
  defp valid?(:securebits, bits), do: match?({:ok, _}, Securebits.to_bits(bits))
  defp valid?(:kernel, {major, minor}), do: id?(major) and id?(minor)
  defp valid?(:kernel, _version), do: false
  defp valid?(:max_bits, bits), do: is_integer(bits) and bits in 0..64

  defp ids?([id | rest]), do: id?(id) and ids?(rest)
  defp ids?(tail), do: tail == []

  defp id?(id), do: is_integer(id) and id in @ids

  defp override(task, options) do
    {:ok, securebits} = Securebits.to_bits(Keyword.get(options, :securebits, task.securebits))

    %{
      task
      | uid: ids(task.uid, options, :uid, :euid, :fsuid),
        gid: ids(task.gid, options, :gid, :egid, :fsgid),
        groups: Keyword.get(options, :groups, task.groups),
        securebits: securebits,
        no_new_privs: Keyword.get(options, :no_new_privs, task.no_new_privs),
        shared_fs: Keyword.get(options, :shared_fs, task.shared_fs),
        weakly_traced: Keyword.get(options, :weakly_traced, task.weakly_traced)
    }
  end

  # An id that is given stands for those that follow it, unless they are given too.
  defp ids({real, effective, saved, fs}, options, real_key, effective_key, fs_key) do
    given = fn key, default -> Keyword.get(options, key, default) end
    new_real = given.(real_key, real)
    new_effective = given.(effective_key, given.(real_key, effective))
    new_fs = given.(fs_key, given.(effective_key, given.(real_key, fs)))
    {new_real, new_effective, saved, new_fs}
  end

  defp kernel(options) do
    %{
      version: Keyword.get_lazy(options, :kernel, &running_version/0),
      max_bits: Keyword.get_lazy(options, :max_bits, &Native.max_bits/0)
    }
  end

  defp running_version do
    {major, minor, _patch} = :os.version()
    {major, minor}
  end
end
