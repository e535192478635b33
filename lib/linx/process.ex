defmodule Linx.Process do
  @moduledoc """
  Launches workloads that are parked before their `execve`, and follows them to their end.

      iex> {:ok, session} = Linx.Process.spawn(argv: ["sh", "-c", "exit 3"])
      iex> {:ok, _host_pid} = Linx.Process.host_pid(session)
      iex> # here the child is parked: the time to read and to shrink its capabilities
      iex> :ok = Linx.Process.proceed(session)
      iex> Linx.Process.wait(session)
      {:ok, {:exited, 3}}

  ## Life of a session

      :starting -> :spawned -> :ready -> :running -> :exited | :signaled
                                   \\-> :aborted        (abort/1 at the checkpoint)
      any stage before :running   -> :errored          (a setup or exec failure)

  `spawn/1` links the session to the caller and returns without waiting for the child. The child
  is forked and parked; `proceed/1` lets it exec, `abort/1` discards it without an instruction of the workload run.
  Every end of the session that is not a kill (it is stopped, its supervisor shuts down, its caller ends for whatever reason)
  reaps the workload first: SIGTERM to it and all its descendants, and SIGKILL after the grace of its `orphan_policy:`. Output written
  meanwhile is handed on up to 1 MiB.

  ## Events

  They are messages to the owner, who is the caller of `spawn/1` unless `owner:` or `set_owner/2` say otherwise:

  | message | when |
  |---|---|
  | `{:linx_process, :ready, host_pid}` | parked at the checkpoint; the pid as the host sees it |
  | `{:linx_process, :running}` | `execve` succeeded |
  | `{:linx_process, :exited, code}` | the end |
  | `{:linx_process, :signaled, signum}` | the end |
  | `{:linx_process, :aborted}` | the end |
  | `{:linx_process, :error, errno, stage}` | the end; `errno` is an integer |
  | `{:linx_process, :stdout, bytes}`, `{:linx_process, :stderr, bytes}` | output, of a pipe |
  | `{:linx_process, :pty_out, bytes}` | output, of a pseudo-terminal |

  With `tag: term` each of them has the tag as its second element: `{:linx_process, tag, :ready, host_pid}`.
  A session sends exactly one end and nothing after it; all output that the workload wrote before it
  ended comes first. A session outlives its owner: the workload runs on, and its output is thrown away.

  ## Stages of an error

  `:clone`, `:stdio`, `:connect_unix`, `:pty`, `:open_ns_<type>`, `:setns_<type>`, `:chdir`, `:no_new_privs`, `:execve`; of the
  checkpoint verbs `:cap_drop_bounding`, `:cap_set_thread`, `:cap_set_ambient`, `:cap_raise_ambient`, `:cap_drop_ambient`,
  `:keep_only`, `:set_groups`, `:set_uid`, `:set_iab`, `:set_securebits`, `:set_mode`, `:chroot`; and
  `:protocol` and `:agent_died` when the agent refuses to understand or is gone; the integer is then `EINVAL` or `EPROTO`, and the
  agent's exit status (128+n for a signal, 255 when unknown, 127 and 126 for an agent that cannot be started).
  After any of them the child is gone; except `:agent_died` it never reached `execve`.

  Two tell of a session that ends before its workload, which is then seen off by its `orphan_policy:`: `:protocol` with `ETIMEDOUT`
  when it was stopped and its agent did not answer, and `:session_died` with 255 when it was killed.

  ## Options of `spawn/1` and `enter/2`

  | option | meaning | answer to a bad value |
  |---|---|---|
  | `argv:` (required) | list of binaries. A first element with a `/` is used as it is, one without is looked up in the workload's `PATH` | `:argv_required`, `{:bad_argv, term}` |
  | `path:` | the program, where it is not the first element of `argv:`; found as that is | `{:bad_path, term}` |
  | `env:` | the whole environment: `["K=V"]`, `[{"K", "V"}]` or a map; default: the VM's own, as it is at the call | `{:bad_env, term}` |
  | `cwd:` | working directory, entered just before exec; default: the VM's own | `{:bad_cwd, term}` |
  | `stdio:` | `:inherit` (default), `:devnull`, `:pipe`, `:pty`, or for each descriptor `[stdin: d, stdout: d, stderr: d]`, `d` one of `:inherit`, `:devnull`, `:pipe`, `{:file, path}`, `{:connect_unix, path}`; `stderr: :stdout` joins them | `{:bad_stdio, term}` |
  | `owner:` | pid that gets the events, also on another node | `{:bad_owner, term}` |
  | `tag:` | any term, see Events | |
  | `linger:` | `true` (default): the session stays after the end and keeps answering. `false`: it ends with `:normal` (exit code 0), `{:exited, n}`, `{:signaled, n}`, `{:shutdown, :aborted}` or `{:error, %Linx.Process.Error{}}` | `{:bad_linger, term}` |
  | `auto_proceed:` | `true`: the child execs without `proceed/1` | `{:bad_auto_proceed, term}` |
  | `orphan_policy:` | what becomes of a running workload when VM or session die without a goodbye: `{:kill, grace_ms}` (default 5000) or `:linger` | `{:bad_orphan_policy, term}` |
  | `kill_tree:` | `true` (default): its descendants end with the workload, wherever they have moved to: they get SIGTERM, and SIGKILL after the grace. The workload is a subreaper then (`PR_SET_CHILD_SUBREAPER`). `false`: signals of a stop reach it alone, and what it leaves behind lives on | `{:bad_kill_tree, term}` |
  | `no_new_privs:` | boolean: `PR_SET_NO_NEW_PRIVS` | `{:bad_no_new_privs, term}` |
  | `caps:` | capabilities in place before `:ready`: any of `bounding:` (what is kept), `thread_sets:` (as in `Linx.Capabilities.set_thread_sets/2`), `ambient:` | `{:bad_capability, term}`, `{:bad_thread_sets, term}`, `{:bad_caps, term}` |
  | `agent:` | `:shared` (default), or `:dedicated`: an agent of its own | `{:bad_agent, term}` |
  | `namespaces:` | fresh ones: any of `:net :mount :pid :uts :ipc :user :cgroup :time`; of `enter/2` those to join (default: all) | `{:bad_namespaces, unknown}` |

  A key that is not in the table is `{:error, {:unknown_option, key}}`, and looked for first; then the values are looked at in
  the order of the table. A zero byte in any string is a bad value. Nothing is started before all is found good.

  ## Output, input and who waits for whom

  Output flows as fast as the owner takes it out of its mailbox: 256 KiB may lie there or be on their way, then the
  workload blocks on its pipe. The owner acknowledges nothing. (An owner on another node whose mailbox never
  empties gets output slowly, since nobody looks into that mailbox.)

  `write/2` and `pty_write/2` return at once while less than 1 MiB waits to be read by the workload; then they wait, as
  writing to a busy port does. A workload that reads no further until its own output is read, and an owner that reads no
  output until its write returns, wait for each other: write from another process.

  ## Supervision

      children = [
        {Linx.Process, argv: ["/usr/sbin/nginx"], auto_proceed: true, owner: self(), id: :web}
      ]

  See `child_spec/1`. Without `owner:` the events would go to the supervisor.
  """

  alias Linx.Process.{Error, Info, Options, Session}

  @typedoc "A session: the pid of its process, also of one on another node."
  @type t :: pid()

  @type option ::
          {:argv, [binary(), ...]}
          | {:path, binary()}
          | {:env, [binary()] | [{binary(), binary()}] | %{optional(binary()) => binary()}}
          | {:cwd, binary()}
          | {:stdio,
             :inherit
             | :devnull
             | :pipe
             | :pty
             | [{:stdin | :stdout | :stderr, Options.endpoint()}]}
          | {:owner, pid()}
          | {:tag, term()}
          | {:linger, boolean()}
          | {:auto_proceed, boolean()}
          | {:orphan_policy, {:kill, non_neg_integer()} | :linger}
          | {:kill_tree, boolean()}
          | {:no_new_privs, boolean()}
          | {:caps, keyword()}
          | {:agent, :shared | :dedicated}
          | {:namespaces, [atom()]}

  @type winsize ::
          {rows :: 0..65_535, cols :: 0..65_535, xpixel :: 0..65_535, ypixel :: 0..65_535}
          | %{rows: 0..65_535, cols: 0..65_535, xpixel: 0..65_535, ypixel: 0..65_535}

  @typedoc "How a session ended."
  @type outcome ::
          {:ok, {:exited, 0..255} | {:signaled, pos_integer()} | :aborted} | {:error, Error.t()}

  @doc """
  Starts a session for a workload, linked to the caller: clone(2), and execve(2) once it may.

  The options stand above. `{:error, reason}` is for bad input; whatever happens later is an event.

      iex> {:ok, session} = Linx.Process.spawn(argv: ["true"], auto_proceed: true)
      iex> Linx.Process.wait(session)
      {:ok, {:exited, 0}}
      iex> Linx.Process.spawn(argv: "true")
      {:error, :argv_required}
      iex> Linx.Process.spawn(argv: ["true"], stdio: :pip)
      {:error, {:bad_stdio, :pip}}
  """
  @spec spawn([option()]) :: {:ok, t()} | {:error, term()}
  def spawn(opts), do: start(opts, :spawn)

  @doc """
  As `spawn/1`, inside the namespaces of the process `target_pid`: all of them, or those of the option
  `namespaces:`. See setns(2) for the rights that takes.

      iex> Linx.Process.enter(1, argv: ["true"], namespaces: [:net, :nat])
      {:error, {:bad_namespaces, [:nat]}}
  """
  @spec enter(pos_integer(), [option()]) :: {:ok, t()} | {:error, term()}
  def enter(target_pid, opts) when is_integer(target_pid) and target_pid > 0 do
    start(opts, {:enter, target_pid})
  end

  defp start(opts, mode) do
    with {:ok, options} <- Options.new(opts, mode), do: Session.start_link(options)
  end

  @doc """
  Lets a parked child exec (execve(2)). Whether that worked is told by the event `:running`, or by an error.

  `{:error, :not_ready}` before the checkpoint, `{:error, :running}` when it was told already.

      iex> {:ok, session} = Linx.Process.spawn(argv: ["true"])
      iex> {:ok, _host_pid} = Linx.Process.host_pid(session)
      iex> Linx.Process.proceed(session)
      :ok
  """
  @spec proceed(t()) :: :ok | {:error, :not_ready | :running | :no_process}
  def proceed(session) when is_pid(session), do: Session.call(session, :proceed)

  @doc """
  Discards a parked child (SIGKILL, signal(7)); no instruction of the workload has run. Before `:ready` it is kept, and takes effect there.

  With `auto_proceed: true` the answer comes when it is known whether the abort was in time.

      iex> {:ok, session} = Linx.Process.spawn(argv: ["true"])
      iex> Linx.Process.abort(session)
      :ok
      iex> Linx.Process.wait(session)
      {:ok, :aborted}
  """
  @spec abort(t()) :: :ok | {:error, :running | :no_process}
  def abort(session) when is_pid(session), do: Session.call(session, :abort)

  @doc """
  Sends the workload a signal, by number as in signal(7). Before `:running` it is kept, and delivered in order then.

      iex> {:ok, session} = Linx.Process.spawn(argv: ["sleep", "60"], auto_proceed: true)
      iex> Linx.Process.signal(session, 15)
      :ok
      iex> Linx.Process.wait(session)
      {:ok, {:signaled, 15}}
  """
  @spec signal(t(), 1..64) :: :ok | {:error, :no_process}
  def signal(session, signum) when is_pid(session) and signum in 1..64 do
    Session.call(session, {:signal, signum})
  end

  @doc """
  The pid of the child as the host sees it (pid_namespaces(7)). Waits for `:ready`; answers after the end too.

  What verbs have changed before can be seen in `/proc` when it returns.

      iex> {:ok, session} = Linx.Process.spawn(argv: ["true"])
      iex> {:ok, pid} = Linx.Process.host_pid(session)
      iex> File.exists?("/proc/\#{pid}/status")
      true
  """
  @spec host_pid(t()) :: {:ok, pos_integer()} | {:error, :no_process}
  def host_pid(session) when is_pid(session), do: Session.call(session, :host_pid)

  @doc """
  Waits for the end as waitid(2) tells it, at most `timeout` milliseconds. Any number of processes may wait.

      iex> {:ok, session} = Linx.Process.spawn(argv: ["sleep", "60"])
      iex> Linx.Process.wait(session, 0)
      {:error, :timeout}
  """
  @spec wait(t(), timeout()) :: outcome() | {:error, :timeout | :no_process}
  def wait(session, timeout \\ :infinity)
      when is_pid(session) and (timeout == :infinity or (is_integer(timeout) and timeout >= 0)) do
    Session.call(session, {:wait, timeout})
  end

  @doc """
  The session at a glance, as `Port.info/1` is for a port.

      iex> {:ok, session} = Linx.Process.spawn(argv: ["true"], auto_proceed: true)
      iex> {:ok, {:exited, 0}} = Linx.Process.wait(session)
      iex> {:ok, %Linx.Process.Info{} = info} = Linx.Process.info(session)
      iex> {info.stage, info.result}
      {:exited, {:exited, 0}}
  """
  @spec info(t()) :: {:ok, Info.t()} | {:error, :no_process}
  def info(session) when is_pid(session), do: Session.call(session, :info)

  @doc """
  Sends all further events to another process, which may be on another node: `Port.connect/2` for sessions.

      iex> {:ok, session} = Linx.Process.spawn(argv: ["true"])
      iex> {:ok, _pid} = Linx.Process.host_pid(session)
      iex> owner = Task.async(fn -> receive do {:linx_process, :running} -> :mine end end)
      iex> Linx.Process.set_owner(session, owner.pid)
      :ok
      iex> :ok = Linx.Process.proceed(session)
      iex> Task.await(owner)
      :mine
  """
  @spec set_owner(t(), pid()) :: :ok | {:error, :no_process}
  def set_owner(session, owner) when is_pid(session) and is_pid(owner) do
    Session.call(session, {:set_owner, owner})
  end

  @doc """
  Writes to the standard input of a running workload that has a pipe(7) there.

  `{:error, :no_stdin}` for one without a pipe or after `close_stdin/1`; see above for when it waits.

      iex> {:ok, session} = Linx.Process.spawn(argv: ["cat"], stdio: [stdin: :pipe, stdout: :pipe], auto_proceed: true)
      iex> receive do {:linx_process, :running} -> :ok end
      iex> :ok = Linx.Process.write(session, "hello")
      iex> :ok = Linx.Process.close_stdin(session)
      iex> receive do {:linx_process, :stdout, bytes} -> bytes end
      "hello"
  """
  @spec write(t(), iodata()) :: :ok | {:error, :no_stdin | :not_running | :no_process}
  def write(session, bytes) when is_pid(session) do
    Session.call(session, {:write, :pipe, IO.iodata_to_binary(bytes)})
  end

  @doc """
  Closes the standard input of a running workload, after everything written; it reads an end of file (pipe(7)). A second time is no error.

      iex> {:ok, session} = Linx.Process.spawn(argv: ["cat"], stdio: [stdin: :pipe, stdout: :devnull], auto_proceed: true)
      iex> receive do {:linx_process, :running} -> :ok end
      iex> Linx.Process.close_stdin(session)
      :ok
      iex> Linx.Process.wait(session)
      {:ok, {:exited, 0}}
  """
  @spec close_stdin(t()) :: :ok | {:error, :no_stdin | :not_running | :no_process}
  def close_stdin(session) when is_pid(session), do: Session.call(session, :close_stdin)

  @doc """
  Writes to the pseudo-terminal (pty(7)) of a running workload, as `write/2` does to a pipe.

      iex> {:ok, session} = Linx.Process.spawn(argv: ["cat"], stdio: :pty, auto_proceed: true)
      iex> receive do {:linx_process, :running} -> :ok end
      iex> Linx.Process.pty_write(session, "typed\\n")
      :ok
      iex> receive do {:linx_process, :pty_out, echo} -> String.starts_with?(echo, "typed\\r\\n") end
      true
      iex> Linx.Process.pty_write(session, <<4>>)
      iex> Linx.Process.wait(session)
      {:ok, {:exited, 0}}
  """
  @spec pty_write(t(), iodata()) :: :ok | {:error, :no_pty | :not_running | :no_process}
  def pty_write(session, bytes) when is_pid(session) do
    Session.call(session, {:write, :pty, IO.iodata_to_binary(bytes)})
  end

  @doc """
  Sets the size of the pseudo-terminal, in characters and pixels (0 to 65535); the workload gets SIGWINCH
  (`TIOCSWINSZ` in ioctl_tty(2)).

  Before `:ready` it is kept, and set there.

      iex> {:ok, session} = Linx.Process.spawn(argv: ["true"], stdio: :pty)
      iex> Linx.Process.pty_set_winsize(session, {24, 80, 0, 0})
      :ok
      iex> Linx.Process.pty_set_winsize(session, {24, 80})
      {:error, {:bad_winsize, {24, 80}}}
  """
  @spec pty_set_winsize(t(), winsize()) ::
          :ok | {:error, :no_pty | :no_process | {:bad_winsize, term()}}
  def pty_set_winsize(session, %{rows: rows, cols: cols, xpixel: xpixel, ypixel: ypixel} = size)
      when is_pid(session) and map_size(size) == 4 do
    with {:error, {:bad_winsize, _tuple}} <-
           pty_set_winsize(session, {rows, cols, xpixel, ypixel}) do
      {:error, {:bad_winsize, size}}
    end
  end

  def pty_set_winsize(session, {rows, cols, xpixel, ypixel} = size)
      when is_pid(session) and rows in 0..65_535 and cols in 0..65_535 and
             xpixel in 0..65_535 and ypixel in 0..65_535 do
    Session.call(session, {:winsize, size})
  end

  def pty_set_winsize(session, size) when is_pid(session), do: {:error, {:bad_winsize, size}}

  @doc """
  The session itself if it has a pseudo-terminal (pty(7)), to pass on to who shall write to that.

      iex> {:ok, session} = Linx.Process.spawn(argv: ["true"])
      iex> Linx.Process.pty_master(session)
      {:error, :no_pty}
  """
  @spec pty_master(t()) :: {:ok, t()} | {:error, :no_pty | :no_process}
  def pty_master(session) when is_pid(session), do: Session.call(session, :pty_master)

  @doc """
  A workload under a supervisor, as `Supervisor` wants its children described.

  Takes `:id` (default `Linx.Process`), `:restart` (`:permanent`) and `:shutdown` (5000) beside the options of
  `spawn/1`; `linger:` is `false` unless given, so that the end of the workload is the end of the child.

      iex> spec = Linx.Process.child_spec(argv: ["true"], id: :job, restart: :transient)
      iex> {spec.id, spec.restart, spec.shutdown, spec.type}
      {:job, :transient, 5000, :worker}
      iex> spec.start
      {Linx.Process, :spawn, [[linger: false, argv: ["true"]]]}
  """
  @spec child_spec(keyword()) :: Supervisor.child_spec()
  def child_spec(opts) do
    {child, opts} = Keyword.split(opts, [:id, :restart, :shutdown])

    %{
      id: Keyword.get(child, :id, __MODULE__),
      restart: Keyword.get(child, :restart, :permanent),
      shutdown: Keyword.get(child, :shutdown, 5000),
      type: :worker,
      start: {__MODULE__, :spawn, [Keyword.put_new(opts, :linger, false)]}
    }
  end
end
