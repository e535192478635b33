defmodule Linx.Capabilities.Reader do
  @moduledoc false
  # Reading the state of processes: what stands behind the functions of `Linx.Capabilities` that change nothing.

  import Bitwise
  import Linx.Capabilities.Procfs, only: [is_id: 1]

  require Logger

  alias Linx.Capabilities.{Constants, Error, ProcessInfo, Procfs, State}
  alias Linx.Native
  alias Linx.Process.Session

  @type task :: %{
          masks: Native.masks(),
          uid: Native.ids(),
          gid: Native.ids(),
          groups: [Native.id()],
          no_new_privs: boolean() | nil
        }

  @spec read(Procfs.target()) :: {:ok, State.t()} | {:error, Error.t()}
  def read(target) do
    path = Procfs.status(target)
    settle(target)

    with {:ok, masks} <- checked(Native.read_status(path), path), do: {:ok, state(masks, path)}
  end

  @spec parse_status(binary(), Path.t()) :: {:ok, State.t()} | {:error, Error.t()}
  def parse_status(text, path) do
    with {:ok, masks} <- checked(Native.parse_status(text), path), do: {:ok, state(masks, path)}
  end

  @spec threads(:self | pos_integer()) ::
          {:ok, [{pos_integer(), State.t()}]} | {:error, Error.t()}
  def threads(pid) do
    path = Procfs.tasks(pid)
    settle(pid)

    case checked(Native.list_threads(path), path) do
      {:ok, []} -> {:error, Error.from_posix(path, :read, :esrch)}
      {:ok, threads} -> {:ok, with_states(threads, path)}
      {:error, error} -> {:error, error}
    end
  end

  defp with_states(threads, path) do
    states = threads |> Enum.map(&elem(&1, 1)) |> states(path)
    for {tid, masks} <- threads, do: {tid, Map.fetch!(states, masks)}
  end

  @spec list() :: {:ok, [ProcessInfo.t()]} | {:error, Error.t()}
  def list do
    path = Procfs.root()

    with {:ok, entries} <- checked(Native.list_processes(path), path) do
      states = entries |> Enum.map(&elem(&1, 4)) |> states(path)
      {:ok, Enum.map(entries, &process_info(&1, states))}
    end
  end

  defp process_info({pid, ppid, name, uid, masks}, states) do
    state = Map.fetch!(states, masks)
    %ProcessInfo{pid: pid, ppid: ppid, name: name, uid: uid, state: state}
  end

  # All of a status file that is about privilege.
  @spec task(Procfs.target()) :: {:ok, task()} | {:error, Error.t()}
  def task(target) do
    path = Procfs.status(target)
    settle(target)

    with {:ok, {masks, uid, gid, groups, flag}} <- checked(Native.read_task(path), path) do
      {:ok, %{masks: masks, uid: uid, gid: gid, groups: groups, no_new_privs: flag}}
    end
  end

  @spec no_new_privs(pid() | Procfs.target()) ::
          {:ok, boolean()} | {:error, Error.t() | :unknown | :running | :no_process}
  def no_new_privs(session) when is_pid(session) do
    with {:ok, checkpoint} <- Session.checkpoint(session),
         {:ok, set?} <- no_new_privs(checkpoint.host_pid),
         do: {:ok, set? or checkpoint.no_new_privs}
  end

  def no_new_privs(target) do
    case task(target) do
      {:ok, %{no_new_privs: nil}} -> {:error, :unknown}
      {:ok, task} -> {:ok, task.no_new_privs}
      {:error, error} -> {:error, error}
    end
  end

  @spec securebits(pid() | Procfs.target()) ::
          {:ok, non_neg_integer()} | {:error, Error.t() | :unknown | :running | :no_process}
  def securebits(session) when is_pid(session) do
    with {:ok, checkpoint} <- Session.checkpoint(session), do: {:ok, checkpoint.securebits}
  end

  def securebits(:self), do: checked(Native.securebits(), Procfs.status(:self))
  def securebits({pid, tid}) when is_id(pid) and is_id(tid), do: {:error, :unknown}
  def securebits(pid) when is_id(pid), do: {:error, :unknown}

  @spec mode(pid() | Procfs.target()) ::
          {:ok, :uncertain | :nopriv | :pure1e_init | :pure1e | :hybrid}
          | {:error, Error.t() | :unknown | :running | :no_process}
  def mode(target) do
    with {:ok, securebits} <- securebits(target),
         {:ok, pid} <- host_pid(target),
         {:ok, task} <- task(pid),
         do: {:ok, Native.mode(securebits, task.masks)}
  end

  defp host_pid(session) when is_pid(session), do: Linx.Process.host_pid(session)
  defp host_pid(target), do: {:ok, target}

  # Verbs sent to a parked child before are to be in what is read.
  defp settle(pid) when is_integer(pid), do: Session.settle(pid)
  defp settle({pid, _tid}), do: Session.settle(pid)
  defp settle(:self), do: :ok

  defp checked({:ok, value}, _path), do: {:ok, value}
  defp checked({:error, reason}, path), do: {:error, Error.from_posix(path, :read, reason)}

  defp state(masks, path) do
    masks |> all_bits() |> warn_unknown(path)
    State.from_masks(masks)
  end

  # Few processes differ in their sets, so each combination becomes a state once.
  defp states(all_masks, path) do
    distinct = Enum.uniq(all_masks)
    distinct |> Enum.reduce(0, &(all_bits(&1) ||| &2)) |> warn_unknown(path)
    Map.new(distinct, &{&1, State.from_masks(&1)})
  end

  defp all_bits({effective, permitted, inheritable, bounding, ambient}),
    do: effective ||| permitted ||| inheritable ||| bounding ||| ambient

  defp warn_unknown(bits, path) do
    unknown = bits &&& bnot(Constants.known_mask())

    if unknown != 0 do
      Logger.warning(
        "#{path} has capability bits Linx doesn't know about, left out: 0x" <>
          Integer.to_string(unknown, 16)
      )
    end
  end
end
