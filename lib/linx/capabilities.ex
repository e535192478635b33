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

  import Bitwise

  require Logger

  alias Linx.Capabilities.{Constants, Error, IAB, Securebits, State, TextError, Verb}
  alias Linx.Native
  alias Linx.Process.Session

  @typedoc "A kernel `CAP_*` constant in lower case, such as `:cap_net_admin`."
  @type cap :: atom()

  @type cap_set :: MapSet.t(cap())

  @typedoc "Why a verb was not sent, whatever its arguments: see the table in the module's text."
  @type state_error :: :not_ready | :running | :no_process

  @doc """
  Whether this host tells capabilities: whether `/proc/self/status` has a `CapBnd:` line, as on every Linux since 2.6.26.

      iex> Linx.Capabilities.supported?()
      true
  """
  @spec supported?() :: boolean()
  def supported?, do: Native.supported?()

  @doc """
  Reads the capability sets of a process from `/proc/PID/status` (proc_pid_status(5)).

  `pid` is a positive integer as the host sees it, or `:self` for the VM. Verbs sent to a session
  before are in what is read from its pid.

  A bit that has no name in `Linx.Capabilities.Constants` (the kernel is newer than the table) is left out, and one
  warning is logged for the read.

      iex> {:ok, %Linx.Capabilities.State{} = state} = Linx.Capabilities.read(:self)
      iex> is_struct(state.effective, MapSet) and is_struct(state.bounding, MapSet)
      true
      iex> {:error, error} = Linx.Capabilities.read(1_234_567_890)
      iex> {error.path, error.operation, error.errno, error.code}
      {"/proc/1234567890/status", :read, :enoent, 2}
  """
  @spec read(pos_integer() | :self) :: {:ok, State.t()} | {:error, Error.t()}
  def read(:self), do: read_status("/proc/self/status")

  def read(pid) when is_integer(pid) and pid > 0 do
    :ok = Session.settle(pid)
    read_status("/proc/#{pid}/status")
  end

  @doc false
  @spec parse_status(binary(), Path.t()) :: {:ok, State.t()} | {:error, Error.t()}
  def parse_status(text, path) when is_binary(text) do
    text |> Native.parse_status() |> to_state(path)
  end

  @doc """
  Drops capabilities from the bounding set of a parked session (`PR_CAPBSET_DROP`, PR_CAPBSET_DROP(2const)).

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
  Replaces the ambient set of a parked session (`PR_CAP_AMBIENT`, PR_CAP_AMBIENT(2const)).

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
  Raises capabilities in the ambient set of a parked session (`PR_CAP_AMBIENT_RAISE`), beside those that are there.

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
  Lowers capabilities in the ambient set of a parked session (`PR_CAP_AMBIENT_LOWER`). It takes no privilege.

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

  All others leave the bounding set, for which `cap_setpcap` is raised if it is permitted. Effective and permitted become what of
  `caps` is permitted. For an ordinary user, or under `:noroot`, inheritable and ambient become that too, so that a program without
  capabilities of its own has them after `execve`; root gets them from the bounding set, and has both emptied.
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
  Sets the secure bits of a parked session (`PR_SET_SECUREBITS`, PR_SET_SECUREBITS(2const)): all of them, to exactly these.

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
  Sets `no_new_privs` of a parked session (`PR_SET_NO_NEW_PRIVS`, PR_SET_NO_NEW_PRIVS(2const)): no `execve`, of it or of its
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
  changed its own directory. The kernel asks for `cap_sys_chroot` in the effective set, so call it before `set_groups/3` and
  `set_uid/2`. The stage of a refusal is `:chroot`.

      iex> Linx.Capabilities.set_chroot(self(), "/srv" <> <<0>>)
      {:error, {:bad_path, "/srv" <> <<0>>}}
  """
  @spec set_chroot(Linx.Process.t(), binary()) ::
          :ok | {:error, state_error() | {:bad_path, term()}}
  def set_chroot(session, path) when is_pid(session),
    do: path |> Verb.set_chroot() |> send_to(session)

  defp send_to({:ok, verb}, session), do: Session.verb(session, verb)
  defp send_to({:error, reason}, _session), do: {:error, reason}

  defp read_status(path), do: path |> Native.read_status() |> to_state(path)

  defp to_state({:ok, masks}, path) do
    warn_unknown(masks, path)
    {:ok, State.from_masks(masks)}
  end

  defp to_state({:error, errno}, path), do: {:error, Error.from_posix(path, :read, errno)}

  defp warn_unknown({effective, permitted, inheritable, bounding, ambient}, path) do
    reported = effective ||| permitted ||| inheritable ||| bounding ||| ambient
    unknown = reported &&& bnot(Constants.known_mask())

    if unknown != 0 do
      Logger.warning(
        "#{path} has capability bits Linx doesn't know about, left out: 0x" <>
          Integer.to_string(unknown, 16)
      )
    end
  end
end
