defmodule Linx.Capabilities.Execve do
  @moduledoc """
  What an `execve` will do to capabilities, predicted (capabilities(7), "Transformation of capabilities during execve()").

  The rules are those of the kernel (`cap_bprm_creds_from_file` in security/commoncap.c, `bprm_fill_uid` in fs/exec.c), where the manual page
  and the kernel disagree: no_new_privs, set-id bits, file capabilities, secure bits, root, ambient capabilities. That they are right is
  tested against the running kernel.

      iex> alias Linx.Capabilities.{Execve, State}
      iex> raw = MapSet.new([:cap_net_raw])
      iex> state = %State{bounding: raw}
      iex> {:ok, after_exec} = Execve.predict(state, [caps: "cap_net_raw+ep"], uid: 1000)
      iex> after_exec.effective
      MapSet.new([:cap_net_raw])
      iex> Execve.predict(state, [caps: "cap_net_raw,cap_kill+ep"], uid: 1000)
      {:error, :eperm}
      iex> {:ok, after_exec} = Execve.predict(state, [mode: 0o4755], uid: 1000)
      iex> after_exec.permitted
      MapSet.new([:cap_net_raw])

  ## Who executes

  Either a `Linx.Capabilities.State`, to which the options add what is no capability; or a parked session, which brings its
  present state, ids, groups, secure bits and no_new_privs, the verbs sent so far included. An option overrides that.

  | option | | default for a state |
  |---|---|---|
  | `uid:`, `euid:`, `fsuid:` | user ids; one that is not given is as the one before it | 0 |
  | `gid:`, `egid:`, `fsgid:` | group ids, likewise | 0 |
  | `groups:` | list of supplementary group ids | `[]` |
  | `securebits:` | as for `Linx.Capabilities.set_securebits/2` | `[]` |
  | `no_new_privs:` | | `false` |
  | `shared_fs:` | it shares its root and working directory with another process (`CLONE_FS` in clone(2)) | `false` |
  | `weakly_traced:` | it is traced by a process without `cap_sys_ptrace` (ptrace(2)) | `false` |
  | `kernel:` | version as `{major, minor}`; Linux 6.16 changed what counts as a change of group | the running one |
  | `max_bits:` | how many capabilities the kernel has | the running one's |

  ## What is executed

  Either a path: its mode, owner, capabilities and the `nosuid` of its mount are read; of a script, those of its interpreter, since
  the kernel ignores a script's own. A session's path is looked for below its root directory (where the VM may see that) and from its `cwd:`.
  There is no search in `PATH`, and binfmt_misc is not followed.

  Or a map or keyword list that describes a file:

  | key | | default |
  |---|---|---|
  | `caps:` | its capabilities: a text or a `Linx.Capabilities.Set`; `nil` for none, which is something else than the empty set `""` | `nil` |
  | `mode:` | permission bits, of which the set-id bits `0o6000` and the group's execute bit count | `0o755` |
  | `uid:`, `gid:` | its owner | 0 |
  | `nosuid:` | its mount is `nosuid` | `false` |
  | `foreign_namespace:` | its file system belongs to a user namespace that is none of the process's (user_namespaces(7)) | `false` |

  ## Errors

  `{:error, :eperm}` is a prediction: the kernel refuses to run a file whose effective bit is set and whose permitted capabilities the process
  cannot all have. Whether the file can be executed for other reasons is not judged. No prediction, but a reason for having none:

  | error | |
  |---|---|
  | `%Linx.Capabilities.Error{operation: :execve}` | the file could not be looked at; `:eacces` also for what is no regular file, `:eloop` for scripts that interpret one another without end |
  | `%Linx.Capabilities.Error{operation: :read}` | the session's status could not be read |
  | `:running`, `:no_process` | the session is past its checkpoint |
  | `:user_namespace` | the session is in another user namespace than the VM; see below |
  | `{:unknown_option, key}`, `{:bad_option, {key, value}}`, `{:bad_options, term}` | |
  | `{:unknown_file_key, key}`, `{:bad_file, {key, value}}`, `{:bad_file, term}` | also for capabilities that no file can have: effective neither empty nor covering the others |
  | `%Linx.Capabilities.TextError{}` | `caps:` is no text of capabilities |
  | `{:bad_capability, term}` | the state has what is no capability |

  ## User namespaces

  The rules ask for ids as the user namespace of the process has them: root is whoever is 0 there (`make_kuid` of 0 in security/commoncap.c), and set-id bits are
  void if it has no id for the file's owner or group (`bprm_fill_uid` in fs/exec.c). A session of another user namespace has no
  answer to that before somebody writes its `uid_map` and `gid_map` (user_namespaces(7)), which may be as late as just before
  `Linx.Process.proceed/1`; and what the VM reads, of the session as of the file, are the VM's ids. So predict from its state, with
  the ids that it will see:

      {:ok, state} = Linx.Capabilities.read(host_pid)
      Linx.Capabilities.Execve.predict(state, [caps: nil, mode: 0o755], uid: 0)

  An id that the namespace does not map is 65534 there. File capabilities count if they have no `ns_owner`, or that
  of the namespace's root or an ancestor's root (capabilities(7)): describe such a file without `ns_owner`.
  """

  alias Linx.Capabilities.{Error, State, TextError}
  alias Linx.Capabilities.Execve.{Account, Program, Task}

  @type file :: Path.t() | map() | keyword()

  @type reason ::
          Error.t()
          | TextError.t()
          | :running
          | :no_process
          | :user_namespace
          | {:unknown_option | :unknown_file_key, atom()}
          | {:bad_option | :bad_options | :bad_file | :bad_capability, term()}

  @doc """
  The state after the `execve` (capabilities(7)), or `{:error, :eperm}` where the kernel refuses it.

      iex> {:ok, c} = Linx.Process.spawn(argv: ["/bin/true"])
      iex> {:ok, state} = Linx.Capabilities.Execve.predict(c, "/bin/true")
      iex> {:ok, no_change} = Linx.Capabilities.Execve.predict(c, "/bin/true", no_new_privs: true)
      iex> MapSet.subset?(no_change.permitted, state.permitted)
      true
      iex> Linx.Process.abort(c)
      :ok
  """
  @spec predict(State.t() | Linx.Process.t(), file(), keyword()) ::
          {:ok, State.t()} | {:error, :eperm | reason()}
  def predict(subject, file, options \\ []) do
    with {:ok, account} <- explain(subject, file, options), do: account.result
  end

  @doc """
  The same prediction with its reasons, rule by rule in the order of `cap_bprm_creds_from_file` in security/commoncap.c: a `Linx.Capabilities.Execve.Account`, which `to_string/1` turns into a text.

  A refusal by the kernel is an account, too.

      iex> state = %Linx.Capabilities.State{bounding: MapSet.new([:cap_kill])}
      iex> {:ok, account} = Linx.Capabilities.Execve.explain(state, [mode: 0o4755], uid: 1000)
      iex> {account.uid, account.secure_exec?}
      {{1000, 0}, true}
      iex> for %{applied?: true} = rule <- account.rules, do: rule.rule
      [:set_uid, :root_permitted, :root_effective, :id_changed, :ambient_cleared, :effective_raised, :secure_exec]
      iex> account |> to_string() |> String.split("\\n") |> Enum.at(4)
      "+ the setuid bit sets the effective uid to the file's owner"
  """
  @spec explain(State.t() | Linx.Process.t(), file(), keyword()) ::
          {:ok, Account.t()} | {:error, reason()}
  def explain(subject, file, options \\ [])
      when is_struct(subject, State) or is_pid(subject) do
    with {:ok, task, place, kernel} <- Task.new(subject, options),
         {:ok, program} <- Program.new(file, place),
         do: {:ok, Account.new(task, program, kernel)}
  end
end
