defmodule Linx.Launcher do
  @moduledoc """
  Starts a program with other ids, capabilities, mode or root directory than its starter has (cap_launch(3)).

  A launcher is a plain value: made by `new/3`, filled in by a pipeline, used by `launch/1` as often as one likes.

      {:ok, session} =
        Linx.Launcher.new("/usr/sbin/nginx", ["nginx", "-g", "daemon off;"], ["PATH=/usr/bin:/bin"])
        |> Linx.Launcher.set_groups(33, [])
        |> Linx.Launcher.set_uid(33)
        |> Linx.Launcher.set_iab("^cap_net_bind_service")
        |> Linx.Launcher.launch()

  It is `Linx.Process` and the verbs of `Linx.Capabilities` in the one order that works: the callback, the root directory, groups,
  user, IAB tuple, mode, `execve`. A setting made twice counts as made last; `nil` takes it back, and
  what is not set stays as the VM has it.

  ## What `launch/1` refuses before anything starts

  | answer | |
  |---|---|
  | `{:error, {:bad_uid, term}}`, `{:bad_gid, term}`, `{:bad_iab, term}`, `{:bad_mode, term}`, `{:bad_path, term}`, `{:bad_callback, term}`, `{:bad_options, term}` | a value that cannot be |
  | `{:error, %Linx.Capabilities.TextError{}}` | an IAB text that does not parse |
  | `{:error, {:contradiction, {mode, :ambient}}}` | the IAB tuple has ambient capabilities, and this mode empties that set |
  | `{:error, {:contradiction, {mode, :inheritable}}}` | the same of the inheritable set |
  | `{:error, {:contradiction, {:option, key}}}` | the option decides what the launcher decides itself: `:argv`, `:path`, `:env`, `:caps`, `:auto_proceed` |
  | `{:error, reason}` of `Linx.Process.spawn/1` | a bad program, argument, environment or option |
  """

  alias Linx.Capabilities
  alias Linx.Launcher.{Plan, Run}

  @enforce_keys [:path, :args]
  defstruct [
    :path,
    :args,
    :env,
    :chroot,
    :groups,
    :uid,
    :iab,
    :mode,
    :callback,
    :func,
    options: []
  ]

  @typedoc "What is to be launched, and how."
  @type t :: %__MODULE__{
          path: term(),
          args: term(),
          env: term(),
          chroot: term(),
          groups: {term(), term()} | nil,
          uid: term(),
          iab: term(),
          mode: term(),
          callback: term(),
          func: callback() | nil,
          options: term()
        }

  @typedoc "Runs in the process that called `launch/1`, with the session parked at its checkpoint."
  @type callback :: (Linx.Process.t() -> :ok | {:error, term()})

  @doc """
  A launcher of the program at `path` (cap_new_launcher(3)).

  `args` is the whole `argv`, so its first element is the name the program sees itself called by. A `path` without a `/`
  is looked up in the program's `PATH`. `env` is all of the environment, as `Linx.Process.spawn/1` takes it; without it, or with
  `nil`, the program inherits the VM's.

      iex> {:ok, session} = Linx.Launcher.new("/bin/sh", ["sh", "-c", "exit 7"], []) |> Linx.Launcher.launch()
      iex> Linx.Process.wait(session)
      {:ok, {:exited, 7}}
  """
  @spec new(binary(), [binary(), ...], [binary()] | [{binary(), binary()}] | map() | nil) :: t()
  def new(path, args, env \\ nil), do: %__MODULE__{path: path, args: args, env: env}

  @doc """
  A launcher of no program (cap_func_launcher(3)): a security context to try something in.

  `launch/1` calls `fun` with the session of a child that is parked and as privileged as the VM, and discards that child when `fun`
  has returned, whatever was done to it. Other settings do not count. `launch/1` returns `:ok`;
  `{:error, {:callback, reason}}` as told at `callback/2`; `{:error, %Linx.Process.Error{}}` if the kernel has refused one of
  the verbs that `fun` sent.

      iex> Linx.Launcher.func(fn session ->
      ...>   :ok = Linx.Capabilities.set_thread_sets(session, effective: [], permitted: [], inheritable: [])
      ...>   {:ok, pid} = Linx.Process.host_pid(session)
      ...>   {:ok, state} = Linx.Capabilities.read(pid)
      ...>   if Enum.empty?(state.permitted), do: :ok, else: {:error, state}
      ...> end)
      ...> |> Linx.Launcher.launch()
      :ok
  """
  @spec func(callback()) :: t()
  def func(fun) when is_function(fun, 1), do: %__MODULE__{path: nil, args: [], func: fun}

  @doc """
  The user id: real, effective, saved and that of file accesses, as `Linx.Capabilities.set_uid/2`
  (cap_launcher_setuid(3)).

      iex> Linx.Launcher.new("/bin/true", ["true"]) |> Linx.Launcher.set_uid(-1) |> Linx.Launcher.launch()
      {:error, {:bad_uid, -1}}
  """
  @spec set_uid(t(), non_neg_integer() | nil) :: t()
  def set_uid(%__MODULE__{} = launcher, uid), do: %{launcher | uid: uid}

  @doc """
  The group id and all supplementary groups, as `Linx.Capabilities.set_groups/3` (cap_launcher_setgroups(3)).

  Without it the program keeps the VM's groups, whatever its user id.

      iex> Linx.Launcher.new("/bin/true", ["true"]) |> Linx.Launcher.set_groups(100, [-1]) |> Linx.Launcher.launch()
      {:error, {:bad_gid, -1}}
  """
  @spec set_groups(t(), non_neg_integer(), [non_neg_integer()]) :: t()
  def set_groups(%__MODULE__{} = launcher, gid, groups), do: %{launcher | groups: {gid, groups}}

  @doc """
  The IAB tuple or its text, as `Linx.Capabilities.set_iab/2` (cap_launcher_set_iab(3)): what is inheritable, ambient, and blocked from bounding.

      iex> launcher = Linx.Launcher.new("/bin/true", ["true"]) |> Linx.Launcher.set_iab("^cap_kill")
      iex> launcher |> Linx.Launcher.set_mode(:pure1e) |> Linx.Launcher.launch()
      {:error, {:contradiction, {:pure1e, :ambient}}}
  """
  @spec set_iab(t(), Capabilities.IAB.t() | binary() | nil) :: t()
  def set_iab(%__MODULE__{} = launcher, iab), do: %{launcher | iab: iab}

  @doc """
  libcap's mode, as `Linx.Capabilities.set_mode/2` (cap_launcher_set_mode(3)).

      iex> Linx.Launcher.new("/bin/true", ["true"]) |> Linx.Launcher.set_mode(:pure) |> Linx.Launcher.launch()
      {:error, {:bad_mode, :pure}}
  """
  @spec set_mode(t(), :nopriv | :pure1e_init | :pure1e | :hybrid | nil) :: t()
  def set_mode(%__MODULE__{} = launcher, mode), do: %{launcher | mode: mode}

  @doc """
  The root directory, as `Linx.Capabilities.set_chroot/2` (cap_launcher_set_chroot(3)).

  The program's path and its `cwd:` (by default the new root itself) are looked up there.

      iex> Linx.Launcher.new("/bin/true", ["true"]) |> Linx.Launcher.set_chroot(:srv) |> Linx.Launcher.launch()
      {:error, {:bad_path, :srv}}
  """
  @spec set_chroot(t(), binary() | nil) :: t()
  def set_chroot(%__MODULE__{} = launcher, path), do: %{launcher | chroot: path}

  @doc """
  A function that `launch/1` calls with the session, parked and as privileged as the VM, before anything else is done to it
  (cap_launcher_callback(3)).

  It may read the child's state, put its pid into a cgroup, send verbs of its own. On `{:error, reason}` the child is discarded, and
  `launch/1` returns `{:error, {:callback, reason}}`; so it is on any answer but `:ok` (the reason is `{:bad_return, term}`)
  and if the function lets the child go itself (the reason is `:proceeded`). What it raises, exits with or throws goes on to the
  caller of `launch/1` once the child is discarded.

      iex> Linx.Launcher.new("/bin/true", ["true"])
      ...> |> Linx.Launcher.callback(fn _session -> {:error, :not_today} end)
      ...> |> Linx.Launcher.launch()
      {:error, {:callback, :not_today}}
  """
  @spec callback(t(), callback() | nil) :: t()
  def callback(%__MODULE__{} = launcher, callback), do: %{launcher | callback: callback}

  @doc """
  What cap_launch(3) has nothing for, further options of `Linx.Process.spawn/1`: `:stdio`, `:owner`, `:tag`, `:cwd`, `:no_new_privs` and the others.

      iex> {:ok, session} =
      ...>   Linx.Launcher.new("/bin/echo", ["echo", "hello"])
      ...>   |> Linx.Launcher.options(stdio: [stdout: :pipe], tag: :greeting)
      ...>   |> Linx.Launcher.launch()
      iex> {:ok, {:exited, 0}} = Linx.Process.wait(session)
      iex> receive do {:linx_process, :greeting, :stdout, bytes} -> bytes end
      "hello\\n"
      iex> Linx.Launcher.new("/bin/true", ["true"]) |> Linx.Launcher.options(auto_proceed: true) |> Linx.Launcher.launch()
      {:error, {:contradiction, {:option, :auto_proceed}}}
  """
  @spec options(t(), keyword()) :: t()
  def options(%__MODULE__{options: old} = launcher, options) do
    both? = Keyword.keyword?(old) and Keyword.keyword?(options)
    %{launcher | options: if(both?, do: Keyword.merge(old, options), else: options)}
  end

  @doc """
  Starts the program, and waits until it is executed or refused (cap_launch(3)).

  `{:ok, session}` says that it was executed with all that was asked; the session is linked to the caller, and its owner has got the
  events `:ready` and `:running`, as from `Linx.Process.spawn/1`. Beside what stands in the table above, the answers are:

  - `{:error, %Linx.Process.Error{stage: stage, errno: errno}}`: the kernel refused a step, and the program has not run.
    `stage` is that of the verb, or `:execve`, or another of `Linx.Process`.
  - `{:error, {:callback, reason}}`: see `callback/2`.
  - `{:error, :aborted}`: somebody called `Linx.Process.abort/1` meanwhile.
  - `{:error, {:signaled, signum}}`: somebody killed the parked child.

  After an error the session is gone; its owner has got its terminal event, if it had begun.

      iex> {:error, error} = Linx.Launcher.new("/no/such/program", ["program"]) |> Linx.Launcher.launch()
      iex> {error.stage, error.errno}
      {:execve, :enoent}
  """
  @spec launch(t()) :: {:ok, Linx.Process.t()} | :ok | {:error, term()}
  def launch(%__MODULE__{func: fun}) when fun != nil do
    # Its events are nobody's, and its program is never executed.
    owner = spawn(fn -> :ok end)
    {:ok, session} = Linx.Process.spawn(argv: ["true"], stdio: :devnull, owner: owner)
    Run.try_out(session, fun)
  end

  def launch(%__MODULE__{} = launcher) do
    with {:ok, options, verbs} <- Plan.new(launcher),
         {:ok, session} <- Linx.Process.spawn(options) do
      Run.run(session, launcher.callback, verbs)
    end
  end
end
