defmodule Linx.Capabilities do
  @moduledoc """
  The five capability sets of Linux processes: reading those of any, shrinking those of a workload.

  Capabilities cut the power of root into some forty pieces (`CAP_NET_ADMIN`,
  `CAP_NET_BIND_SERVICE`, …; see capabilities(7)). A program that starts with the one piece it needs cannot
  be turned against the rest of the system. This module is the primitive, not the policy: it says what
  a process has, and takes away what you name.

  ## Reading and writing

  `read/1` works on every live process, from the outside, through `/proc/PID/status`.

  Writing is another matter: capset(2) and the prctl(2) operations change the *calling thread* only. So the
  workload's own process does it, before its `execve`, while `Linx.Process` keeps it parked. The write verbs are valid between
  `:ready` and `Linx.Process.proceed/1`, and nowhere else: `drop_bounding/2`, `set_thread_sets/2`, `set_ambient/2`,
  `raise_ambient/2`, `drop_ambient/2`, `keep_only/2`, `set_groups/3`, `set_uid/2`, `set_iab/2`, `set_securebits/2`, `set_mode/2`,
  `set_no_new_privs/1`, `set_chroot/2`. `Linx.Launcher` sends them in an order that works.

  `threads/1` and `list/0` read more at once, and `Linx.Capabilities.Execve` tells what an `execve` will make of a state.

  ## Sets

  A set of capabilities is a `MapSet` of `:cap_*` atoms, the kernel's constants in lower case.
  The verbs take any enumerable of them. `Linx.Capabilities.Constants` has the table.

  ## The whole course

      {:ok, c} = Linx.Process.spawn(argv: ["/usr/sbin/nginx"], stdio: :pty)
      receive do {:linx_process, :ready, _} -> :ok end

      keep = [:cap_net_bind_service]
      all = Linx.Capabilities.Constants.all()
      :ok = Linx.Capabilities.drop_bounding(c, MapSet.difference(all, MapSet.new(keep)))
      :ok = Linx.Capabilities.set_thread_sets(c, effective: keep, permitted: keep, inheritable: [])

      :ok = Linx.Process.proceed(c)

  The bounding drops come first, since they need `cap_setpcap` in the effective set. nginx, started as root, now has exactly
  `cap_net_bind_service`: an `execve` as root gives all of the bounding set, and nothing beyond it.

  ## Errors

  All verbs answer at once, without waiting for the kernel:

  | answer | when |
  |---|---|
  | `:ok` | sent to the parked child |
  | `{:error, :not_ready}` | before `:ready` |
  | `{:error, :running}` | after `Linx.Process.proceed/1` |
  | `{:error, :no_process}` | after the session's end |
  | `{:error, {:bad_capability, term}}` and its like | the input is wrong; nothing was sent. Reported before the state is looked at |

  What the kernel refuses (most of it needs `cap_setpcap`, which an ordinary user lacks) ends the session: the owner gets
  `{:linx_process, :error, errno, stage}` with the errno as an integer, and the workload never runs.
  Each verb names its stage.
  """

  alias Linx.Capabilities.{
    Constants,
    Error,
    IAB,
    ProcessInfo,
    Procfs,
    Reader,
    Securebits,
    State,
    TextError,
    Verb
  }

  alias Linx.Native
  alias Linx.Process.Session

  @last_cap Constants.last_cap()

  @typedoc "A kernel `CAP_*` constant in lower case, such as `:cap_net_admin`."
  @type cap :: atom()

  @type cap_set :: MapSet.t(cap())

  @typedoc "The VM, a process by its pid, or a thread by its process's pid and its own id."
  @type target :: :self | pos_integer() | {pid :: pos_integer(), tid :: pos_integer()}

  @typedoc "Why a verb was not sent, whatever its arguments: see the table in the module's text."
  @type state_error :: :not_ready | :running | :no_process

  @doc """
  Whether this host tells capabilities: whether `/proc/self/status` has a `CapBnd:` line (proc_pid_status(5)), as on
  every Linux since 2.6.26.

      iex> Linx.Capabilities.supported?()
      true
  """
  @spec supported?() :: boolean()
  def supported?, do: Native.supported?()

  @doc """
  Reads the capability sets of a process from `/proc/PID/status` (proc_pid_status(5)).

  A pid is a positive integer as the host sees it, `:self` is the VM, and `{pid, tid}` one thread of a process, read
  from `/proc/PID/task/TID/status`. Verbs sent to a session before are in what is read from its pid.

  A bit that has no name in `Linx.Capabilities.Constants` (the kernel is newer than the table) is left out, and one
  warning is logged for the read.

      iex> {:ok, %Linx.Capabilities.State{} = state} = Linx.Capabilities.read(:self)
      iex> is_struct(state.effective, MapSet) and is_struct(state.bounding, MapSet)
      true
      iex> {:error, error} = Linx.Capabilities.read(1_234_567_890)
      iex> {error.path, error.operation, error.errno, error.code}
      {"/proc/1234567890/status", :read, :enoent, 2}
  """
  @spec read(target()) :: {:ok, State.t()} | {:error, Error.t()}
  defdelegate read(target), to: Reader

  @doc false
  @spec parse_status(binary(), Path.t()) :: {:ok, State.t()} | {:error, Error.t()}
  defdelegate parse_status(text, path), to: Reader

  @doc """
  Reads the sets of every thread of a process, from `/proc/PID/task` (proc(5)). They may differ:
  capset(2) and prctl(2) change one thread; `read/1` tells
  those of the first, which are out of date once it has ended before the others.

  Threads that end meanwhile are left out. Errors as from `read/1`.

      iex> {:ok, threads} = Linx.Capabilities.threads(:self)
      iex> Enum.all?(threads, fn {tid, state} -> is_integer(tid) and is_struct(state.permitted, MapSet) end)
      true
  """
  @spec threads(:self | pos_integer()) ::
          {:ok, [{pos_integer(), State.t()}]} | {:error, Error.t()}
  defdelegate threads(pid), to: Reader

  @doc """
  Lists every process: pid, parent, name, user and sets, as `Linx.Capabilities.ProcessInfo`.

  Left out are processes that end meanwhile and those that procfs hides (`hidepid` in proc(5)). It does not wait for verbs
  on their way to parked sessions.

      iex> {:ok, list} = Linx.Capabilities.list()
      iex> pid = String.to_integer(System.pid())
      iex> [vm] = Enum.filter(list, &(&1.pid == pid))
      iex> {:ok, vm.state} == Linx.Capabilities.read(:self)
      true
  """
  @spec list() :: {:ok, [ProcessInfo.t()]} | {:error, Error.t()}
  defdelegate list(), to: Reader

  @doc """
  Whether a process has given up gaining privilege by `execve` (`NoNewPrivs` in proc_pid_status(5); prctl(2)).

  Of a parked session it tells what the workload will run with, its `no_new_privs: true` included.
  `{:error, :unknown}` from a kernel older than 4.10; else the errors of `read/1` and `securebits/1`.

      iex> {:ok, set?} = Linx.Capabilities.no_new_privs?(:self)
      iex> is_boolean(set?)
      true
  """
  @spec no_new_privs?(Linx.Process.t() | target()) ::
          {:ok, boolean()} | {:error, Error.t() | :unknown | :running | :no_process}
  defdelegate no_new_privs?(process), to: Reader, as: :no_new_privs

  @doc """
  The secure bits of the VM (of the scheduler's thread that asks: `PR_GET_SECUREBITS` in prctl(2)) or of a parked session.

  The kernel tells them to nobody else, so for any other process it is `{:error, :unknown}`. A session is waited for until it is
  parked; after that it is `{:error, :running}` or `{:error, :no_process}`.

      iex> {:ok, c} = Linx.Process.spawn(argv: ["true"])
      iex> Linx.Capabilities.securebits(c) == Linx.Capabilities.securebits(:self)
      true
      iex> Linx.Process.abort(c)
      iex> Linx.Capabilities.securebits(1)
      {:error, :unknown}
  """
  @spec securebits(Linx.Process.t() | target()) ::
          {:ok, MapSet.t(Securebits.securebit())}
          | {:error, Error.t() | :unknown | :running | :no_process}
  def securebits(process) do
    with {:ok, bits} <- Reader.securebits(process), do: {:ok, Securebits.from_bits(bits)}
  end

  @doc """
  The mode of the VM or of a parked session: libcap's word for its secure bits and sets (`cap_get_mode` in cap_get_proc(3)).

  `:hybrid` is the traditional one; `:pure1e_init`, `:pure1e` and `:nopriv` are those of `set_mode/2`; `:uncertain` is none of them.
  Errors as from `securebits/1`, whose bits it needs, and `read/1`.

      iex> {:ok, mode} = Linx.Capabilities.mode(:self)
      iex> mode in [:hybrid, :uncertain, :pure1e, :pure1e_init, :nopriv]
      true
  """
  @spec mode(Linx.Process.t() | target()) ::
          {:ok, :hybrid | :uncertain | :pure1e | :pure1e_init | :nopriv}
          | {:error, Error.t() | :unknown | :running | :no_process}
  defdelegate mode(process), to: Reader

  @doc """
  The capability of a name as libcap takes it (cap_from_name(3)): with its prefix, in letters of either case, or the number of its bit.

      iex> Linx.Capabilities.from_name("CAP_NET_ADMIN")
      {:ok, :cap_net_admin}
      iex> Linx.Capabilities.from_name("12")
      {:ok, :cap_net_admin}
      iex> Linx.Capabilities.from_name("net_admin")
      {:error, {:bad_capability, "net_admin"}}
  """
  @spec from_name(String.t()) :: {:ok, cap()} | {:error, {:bad_capability, String.t()}}
  def from_name(text) when is_binary(text) do
    case Native.cap_from_text(text) do
      bit when bit in 0..@last_cap -> {:ok, Constants.from_bit(bit)}
      _no_atom -> {:error, {:bad_capability, text}}
    end
  end

  @doc """
  The name of a capability, or of the number of a bit (cap_to_name(3)). A bit without a name is called by its number.

      iex> Linx.Capabilities.to_name(:cap_net_admin)
      {:ok, "cap_net_admin"}
      iex> {Linx.Capabilities.to_name(12), Linx.Capabilities.to_name(63)}
      {{:ok, "cap_net_admin"}, {:ok, "63"}}
      iex> Linx.Capabilities.to_name(:cap_nope)
      {:error, {:bad_capability, :cap_nope}}
  """
  @spec to_name(cap() | 0..63) :: {:ok, String.t()} | {:error, {:bad_capability, term()}}
  def to_name(bit) when bit in 0..@last_cap, do: bit |> Constants.from_bit() |> to_name()
  def to_name(bit) when bit in 0..63, do: {:ok, Integer.to_string(bit)}

  def to_name(cap) do
    if Constants.to_bit(cap),
      do: {:ok, Atom.to_string(cap)},
      else: {:error, {:bad_capability, cap}}
  end

  @doc """
  How many capabilities the running kernel has (cap_max_bits(3)): the first number that `PR_CAPBSET_READ` refuses.

      iex> Linx.Capabilities.max_bits() in 1..64
      true
  """
  @spec max_bits() :: 1..64
  defdelegate max_bits(), to: Native

  @doc """
  Where procfs is looked for: `/proc`, unless told otherwise (`cap_proc_root` in libcap's sys/capability.h).

      iex> Linx.Capabilities.proc_root()
      "/proc"
  """
  @spec proc_root() :: Path.t()
  defdelegate proc_root(), to: Procfs, as: :root

  @doc """
  Has procfs looked for elsewhere, by every function here and in the whole VM (`cap_proc_root` in libcap's sys/capability.h).
  Returns where it was; `""` changes nothing.

      iex> Linx.Capabilities.proc_root("")
      "/proc"
  """
  @spec proc_root(Path.t()) :: Path.t()
  defdelegate proc_root(path), to: Procfs, as: :root

  @doc """
  Drops capabilities from the bounding set of a parked session (`PR_CAPBSET_DROP` in prctl(2)).

  There is no way back: a capability that has left the bounding set cannot be had from any later
  verb or `execve`, save one that is still in the inheritable set. The kernel asks for `cap_setpcap` in the
  effective set. Its refusal has the stage `:cap_drop_bounding`.

      iex> {:ok, c} = Linx.Process.spawn(argv: ["true"])
      iex> {:ok, _host_pid} = Linx.Process.host_pid(c)
      iex> Linx.Capabilities.drop_bounding(c, [])
      :ok
      iex> Linx.Capabilities.drop_bounding(c, [:cap_sys_admin, :cap_nope])
      {:error, {:bad_capability, :cap_nope}}
      iex> Linx.Process.abort(c)
      :ok
  """
  @spec drop_bounding(Linx.Process.t(), Enumerable.t()) ::
          :ok | {:error, state_error() | {:bad_capability, term()}}
  def drop_bounding(session, caps) when is_pid(session) do
    :drop_bounding |> Verb.of_caps(caps) |> send_to(session)
  end

  @doc """
  Sets the effective, permitted and inheritable set of a parked session (capset(2)).

  All three keys are required; the value `:keep` leaves that set as it is.

  The kernel's rules: permitted can only shrink, effective lies within permitted, inheritable within the old
  inheritable and permitted (with `cap_setpcap` effective: and bounding). The ambient set is cut to what stays both permitted
  and inheritable. A refusal is `EPERM` (1) with the stage `:cap_set_thread`.

  Further errors: `{:bad_thread_sets, {:missing, key}}`, `{:bad_thread_sets, {:unknown, key}}`, and
  `{:bad_thread_sets, term}` for what is no keyword list.

      iex> {:ok, c} = Linx.Process.spawn(argv: ["true"])
      iex> {:ok, host_pid} = Linx.Process.host_pid(c)
      iex> Linx.Capabilities.set_thread_sets(c, effective: [], permitted: :keep, inheritable: [])
      :ok
      iex> {:ok, state} = Linx.Capabilities.read(host_pid)
      iex> MapSet.size(state.effective)
      0
      iex> Linx.Capabilities.set_thread_sets(c, effective: [], permitted: [])
      {:error, {:bad_thread_sets, {:missing, :inheritable}}}
      iex> Linx.Process.abort(c)
      :ok
  """
  @spec set_thread_sets(Linx.Process.t(), keyword(Enumerable.t() | :keep)) ::
          :ok
          | {:error,
             state_error()
             | {:bad_capability, term()}
             | {:bad_thread_sets, {:missing | :unknown, atom()} | term()}}
  def set_thread_sets(session, sets) when is_pid(session) do
    sets |> Verb.set_thread_sets() |> send_to(session)
  end

  @doc """
  Replaces the ambient set of a parked session (`PR_CAP_AMBIENT` in prctl(2)).

  Ambient capabilities pass through the `execve` of a program that is neither set-user-ID nor has file
  capabilities, and become permitted and effective there: the way to give one to a program that does not run as root.
  Each has to be permitted and inheritable already; else the kernel refuses it with `EPERM` (1), stage `:cap_set_ambient`.

      iex> {:ok, c} = Linx.Process.spawn(argv: ["true"])
      iex> {:ok, _host_pid} = Linx.Process.host_pid(c)
      iex> Linx.Capabilities.set_ambient(c, MapSet.new())
      :ok
      iex> Linx.Process.abort(c)
      :ok
  """
  @spec set_ambient(Linx.Process.t(), Enumerable.t()) ::
          :ok | {:error, state_error() | {:bad_capability, term()}}
  def set_ambient(session, caps) when is_pid(session) do
    :set_ambient |> Verb.of_caps(caps) |> send_to(session)
  end

  @doc """
  Sets the group id and all supplementary groups of a parked session (setgroups(2), setresgid(2)).

  Ids are integers from 0 to 4,294,967,294. `cap_setgid` is raised for it if it is permitted, and the effective set is
  empty afterwards. The stage of a refusal is `:set_groups`. Call it before `set_uid/2`, which gives the right to it away.

      iex> Linx.Capabilities.set_groups(self(), 65_534, [100, -1])
      {:error, {:bad_gid, -1}}
  """
  @spec set_groups(Linx.Process.t(), non_neg_integer(), [non_neg_integer()]) ::
          :ok | {:error, state_error() | {:bad_gid, term()}}
  def set_groups(session, gid, groups) when is_pid(session) do
    gid |> Verb.set_groups(groups) |> send_to(session)
  end

  @doc """
  Sets the user id of a parked session (setresuid(2)).

  The permitted set stays (`PR_SET_KEEPCAPS`), the effective and the ambient set are empty afterwards: raise them again with
  `set_thread_sets/2` and `set_ambient/2`. The id is an integer from 0 to 4,294,967,294. The stage of a
  refusal is `:set_uid`.

      iex> Linx.Capabilities.set_uid(self(), 4_294_967_295)
      {:error, {:bad_uid, 4_294_967_295}}
  """
  @spec set_uid(Linx.Process.t(), non_neg_integer()) ::
          :ok | {:error, state_error() | {:bad_uid, term()}}
  def set_uid(session, uid) when is_pid(session), do: uid |> Verb.set_uid() |> send_to(session)

  @doc """
  Raises capabilities in the ambient set of a parked session (`PR_CAP_AMBIENT_RAISE` in prctl(2)), beside those that are there.

  What `set_ambient/2` says of a capability holds here too. The stage of a refusal is `:cap_raise_ambient`.

      iex> Linx.Capabilities.raise_ambient(self(), [:cap_nope])
      {:error, {:bad_capability, :cap_nope}}
  """
  @spec raise_ambient(Linx.Process.t(), Enumerable.t()) ::
          :ok | {:error, state_error() | {:bad_capability, term()}}
  def raise_ambient(session, caps) when is_pid(session) do
    :raise_ambient |> Verb.of_caps(caps) |> send_to(session)
  end

  @doc """
  Lowers capabilities in the ambient set of a parked session (`PR_CAP_AMBIENT_LOWER` in prctl(2)). It takes no privilege.

  What is not ambient stays so. The stage is `:cap_drop_ambient`; the kernel refuses only capabilities it does not know (`EINVAL`).

      iex> {:ok, c} = Linx.Process.spawn(argv: ["true"])
      iex> {:ok, _host_pid} = Linx.Process.host_pid(c)
      iex> Linx.Capabilities.drop_ambient(c, [:cap_kill])
      :ok
      iex> Linx.Process.abort(c)
      :ok
  """
  @spec drop_ambient(Linx.Process.t(), Enumerable.t()) ::
          :ok | {:error, state_error() | {:bad_capability, term()}}
  def drop_ambient(session, caps) when is_pid(session) do
    :drop_ambient |> Verb.of_caps(caps) |> send_to(session)
  end

  @doc """
  Leaves a parked session at most these capabilities, root or not, now and after `execve`.

  All others leave the bounding set (`PR_CAPBSET_DROP` in prctl(2)), for which `cap_setpcap` is raised if it is permitted. Effective and permitted become what of
  `caps` is permitted. For an ordinary user, or under `:noroot`, inheritable and ambient become that too, so that a program without
  capabilities of its own has them after `execve`; root gets them from the bounding set, and has both
  emptied (capabilities(7), "Capabilities and execution of programs by root").
  Call it after `set_uid/2`, which empties the ambient set. The stage of a refusal is `:keep_only`.

      iex> {:ok, c} = Linx.Process.spawn(argv: ["true"])
      iex> {:ok, _host_pid} = Linx.Process.host_pid(c)
      iex> Linx.Capabilities.keep_only(c, [:cap_nope])
      {:error, {:bad_capability, :cap_nope}}
      iex> Linx.Capabilities.keep_only(c, [:cap_net_bind_service])
      :ok
      iex> Linx.Process.abort(c)
      :ok
  """
  @spec keep_only(Linx.Process.t(), Enumerable.t()) ::
          :ok | {:error, state_error() | {:bad_capability, term()}}
  def keep_only(session, caps) when is_pid(session) do
    :keep_only |> Verb.of_caps(caps) |> send_to(session)
  end

  @doc """
  Sets the secure bits of a parked session (`PR_SET_SECUREBITS` in prctl(2)): all of them, to exactly these.

  They are a list or `MapSet` of the names in `Linx.Capabilities.Securebits`, or the number itself. `cap_setpcap` is raised
  for it if it is permitted, and the effective set is empty afterwards. The kernel refuses, with `EPERM` (1) and the stage
  `:set_securebits`, to change what is locked and to set bits it does not know. `:keep_caps` does not survive `execve`.

      iex> Linx.Capabilities.set_securebits(self(), [:noroot, :no_root])
      {:error, {:bad_securebits, :no_root}}
  """
  @spec set_securebits(
          Linx.Process.t(),
          [Securebits.securebit()] | MapSet.t(Securebits.securebit()) | non_neg_integer()
        ) :: :ok | {:error, state_error() | {:bad_securebits, term()}}
  def set_securebits(session, securebits) when is_pid(session) do
    securebits |> Verb.set_securebits() |> send_to(session)
  end

  @doc """
  Gives a parked session an IAB tuple (cap_iab_set_proc(3)): inheritable, then ambient, then what is dropped from bounding.

  The tuple is a `Linx.Capabilities.IAB` or its text. Inheritable and ambient become exactly what it says; nothing brings back what
  the bounding set has lost already. `cap_setpcap` is raised for it if it is permitted, and the effective set is as before
  afterwards. Call it after `set_uid/2`, which empties the ambient set. The stage of a refusal is `:set_iab`.

      iex> {:error, %Linx.Capabilities.TextError{position: 1}} = Linx.Capabilities.set_iab(self(), "^cap_nope")
      iex> Linx.Capabilities.set_iab(self(), [:cap_kill])
      {:error, {:bad_iab, [:cap_kill]}}
  """
  @spec set_iab(Linx.Process.t(), IAB.t() | binary()) ::
          :ok | {:error, state_error() | {:bad_iab, term()} | TextError.t()}
  def set_iab(session, iab) when is_pid(session), do: iab |> Verb.set_iab() |> send_to(session)

  @doc """
  Brings a parked session into one of libcap's modes (cap_set_mode(3)).

  | mode | |
  |---|---|
  | `:nopriv` | no capability, now or ever: all five sets are emptied, `no_new_privs` is set |
  | `:pure1e_init` | capabilities only, uid 0 means nothing; inheritable and ambient are emptied |
  | `:pure1e` | as that, with the inheritable set as it is |
  | `:hybrid` | secure bits 0: uid 0 and capabilities both count, the traditional way |

  All but `:hybrid` lock the secure bits. `cap_setpcap` is raised for it if it is permitted, and the effective set is empty afterwards.
  The stage of a refusal is `:set_mode`.

      iex> Linx.Capabilities.set_mode(self(), :uncertain)
      {:error, {:bad_mode, :uncertain}}
  """
  @spec set_mode(Linx.Process.t(), :nopriv | :pure1e_init | :pure1e | :hybrid) ::
          :ok | {:error, state_error() | {:bad_mode, term()}}
  def set_mode(session, mode) when is_pid(session),
    do: mode |> Verb.set_mode() |> send_to(session)

  @doc """
  Sets `no_new_privs` of a parked session (`PR_SET_NO_NEW_PRIVS` in prctl(2)): no `execve`, of it or of its
  descendants, gives what they do not have. It takes no privilege, and there is no way back. The stage is `:no_new_privs`.

      iex> {:ok, c} = Linx.Process.spawn(argv: ["true"])
      iex> {:ok, _host_pid} = Linx.Process.host_pid(c)
      iex> Linx.Capabilities.set_no_new_privs(c)
      :ok
      iex> Linx.Process.abort(c)
      :ok
  """
  @spec set_no_new_privs(Linx.Process.t()) :: :ok | {:error, state_error()}
  def set_no_new_privs(session) when is_pid(session),
    do: Session.verb(session, {:set_no_new_privs})

  @doc """
  Changes the root directory of a parked session, and its working directory to that root (chroot(2)).

  The program, and the `cwd:` it was spawned with, are looked up in the new root; give `cwd: "/"` where the VM may have
  changed its own directory. `cap_sys_chroot` is raised for it if it is permitted. The stage of a refusal is `:chroot`.

      iex> Linx.Capabilities.set_chroot(self(), "/srv" <> <<0>>)
      {:error, {:bad_path, "/srv" <> <<0>>}}
  """
  @spec set_chroot(Linx.Process.t(), binary()) ::
          :ok | {:error, state_error() | {:bad_path, term()}}
  def set_chroot(session, path) when is_pid(session),
    do: path |> Verb.set_chroot() |> send_to(session)

  defp send_to({:ok, verb}, session), do: Session.verb(session, verb)
  defp send_to({:error, reason}, _session), do: {:error, reason}
end
