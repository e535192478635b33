defmodule Linx.AgentPort do
  @moduledoc false
  # Owner of the port to an agent, the small program that forks, parks, confines and reaps workloads.
  #
  # One agent serves every session of the VM. It is started at the first use and again at the first use after it died; a
  # session that asked for `agent: :dedicated` has an instance of this process of its own. Frames of the
  # agent are routed to the sessions by id; sessions write theirs to the port themselves, with `command/2`.
  # The frames are those of the protocol that `docs/PROTOCOL.md` describes.
  #
  # ## Messages to a session
  #
  # A session calls `join/3` once. Where the answer is `:wait`, and for all that follows, it is sent messages `{:linx_agent, message}`:
  #
  # | `message` | when |
  # |---|---|
  # | `{:registered, id, port, cwd}` | it may start its child as `id`; `cwd` is the agent's working directory |
  # | `{:output, stream, bytes}`, `:running`, … | an event of the agent |
  # | `{:exited, code}`, `{:error, errno, stage}`, … | the last one |
  #
  # When the agent is lost, its sessions get `{:error, status, :agent_died}`: the agent's exit status, 128+n for a
  # signal; 255 when it could not be learnt. An agent that cannot be started counts as one that ended with 127
  # (not found) or 126 (not executable), as in a shell; one that speaks another protocol is
  # `{:error, 71, :protocol}` (`EPROTO`). What was wrong is logged.
  #
  # ## Configuration
  #
  # `config :linx, agent_args: ["--launch", "fork"]` gives the agent command-line options.

  use GenServer

  alias Linx.AgentPort.{Frame, Heritage, Leftovers, Link, Sessions, Unsettled}

  require Logger

  @hello_timeout 5_000
  @unknown_status 255
  # What a session needs to go ahead by itself: the shared agent's port and directory, and the counter of its ids.
  @open {__MODULE__, :open}
  @eproto 71

  defstruct [
    :path,
    :args,
    :shared?,
    :port,
    :cwd,
    :hello_timer,
    :ids,
    stage: :closed,
    waiting: [],
    sessions: %Sessions{},
    leftovers: []
  ]

  @type status :: %{
          stage: :closed | :opening | :open,
          os_pid: pos_integer() | nil,
          sessions: non_neg_integer()
        }

  @typedoc "A message, and who it is for."
  @type last_words :: {pid(), term()}

  @doc """
  Starts an agent's port, without starting the agent.

  Options: `:name` (default `Linx.AgentPort`; `nil` for none), `:path` and `:args` of the agent.
  """
  @spec start_link(keyword()) :: GenServer.on_start()
  def start_link(opts \\ []) do
    case Keyword.pop(opts, :name, __MODULE__) do
      {nil, opts} -> GenServer.start_link(__MODULE__, opts)
      {name, opts} -> GenServer.start_link(__MODULE__, [{:name, name} | opts], name: name)
    end
  end

  @doc """
  Takes the calling session in: `{:ok, id, port, cwd}`, or `:wait` for the message that tells as much (see above), where
  there is no agent yet or it is not the shared one.

  `grace` is how long the workload is given between SIGTERM and SIGKILL if the agent dies, in milliseconds; with `nil`
  it is left alone. `last_words` are sent when the session goes without having told its end (`told/2`), as one that is killed does.
  """
  @spec join(GenServer.server(), pid(), non_neg_integer() | nil, last_words() | nil) ::
          {:ok, Frame.id(), port(), binary() | nil} | :wait
  def join(server, session, grace, last_words \\ nil) do
    case server == __MODULE__ and :persistent_term.get(@open, false) do
      {port, cwd, ids} ->
        # Not answered: the message is in its queue before the agent can say anything of this id.
        id = :atomics.add_get(ids, 1, 1)
        GenServer.cast(server, {:joined, port, id, session, grace, last_words})
        {:ok, id, port, cwd}

      false ->
        GenServer.cast(server, {:register, session, grace, last_words})
        :wait
    end
  end

  @doc "Changes the last words of the calling session, which joined as `id`."
  @spec change_last_words(GenServer.server(), Frame.id(), last_words()) :: :ok
  def change_last_words(server, id, words),
    do: GenServer.cast(server, {:last_words, id, self(), words})

  @doc "Notes that the calling session has told its owner the end; `nil` is one that has not heard its id yet."
  @spec told(GenServer.server(), Frame.id() | nil) :: :ok
  def told(server, id), do: GenServer.cast(server, {:told, id, self()})

  @doc "Sends a frame to the agent; `:closed` when there is no agent behind the port any more."
  @spec command(port(), tuple()) :: :ok | :closed
  defdelegate command(port, frame), to: Link

  @doc "The status told for an agent whose exit status could not be learnt."
  @spec unknown_status() :: 0..255
  def unknown_status, do: @unknown_status

  @doc """
  What the port is at: whether an agent is there, its pid as the system knows it, and how many sessions it serves.

      iex> Linx.AgentPort.status().stage in [:closed, :opening, :open]
      true
  """
  @spec status(GenServer.server()) :: status()
  def status(server \\ __MODULE__), do: GenServer.call(server, :status)

  @impl true
  def init(opts) do
    Process.flag(:trap_exit, true)
    shared? = opts[:name] == __MODULE__
    if shared?, do: Unsettled.create()

    state = %__MODULE__{
      shared?: shared?,
      ids: :atomics.new(1, []),
      path: opts[:path] || Application.app_dir(:linx, "priv/linx-agent"),
      args: opts[:args] || Application.get_env(:linx, :agent_args, [])
    }

    # What a predecessor that crashed may have left.
    withdraw(state)
    {:ok, state}
  end

  @impl true
  def handle_call(:status, _from, state) do
    {:reply,
     %{
       stage: state.stage,
       os_pid: Link.os_pid(state.port),
       sessions: Sessions.count(state.sessions)
     }, state}
  end

  @impl true
  def handle_cast({:register, session, grace, words}, state) do
    id = :atomics.add_get(state.ids, 1, 1)
    state = add(state, id, session, grace, words)

    if state.stage == :open do
      admit(state, {session, id})
      {:noreply, state}
    else
      {:noreply, ensure_open(%{state | waiting: [{session, id} | state.waiting]})}
    end
  end

  def handle_cast({:last_words, id, session, words}, state) do
    {:noreply, %{state | sessions: Sessions.last_words(state.sessions, id, session, words)}}
  end

  def handle_cast({:told, id, session}, state) do
    {:noreply, %{state | sessions: Sessions.told(state.sessions, id, session)}}
  end

  def handle_cast({:joined, port, id, session, grace, words}, %{port: port} = state) do
    {:noreply, add(state, id, session, grace, words)}
  end

  def handle_cast({:joined, _lost, id, session, grace, words}, state) do
    send(session, {:linx_agent, {:error, @unknown_status, :agent_died}})
    state = add(state, id, session, grace, words)
    {:noreply, %{state | sessions: Sessions.ended(state.sessions, id)}}
  end

  # Of an agent that served one session.
  def handle_cast({:leftovers, leftovers}, %{stage: :open} = state) do
    {:noreply, hand_over(state, leftovers)}
  end

  def handle_cast({:leftovers, leftovers}, state) do
    {:noreply, ensure_open(%{state | leftovers: leftovers ++ state.leftovers})}
  end

  @impl true
  def handle_info({port, {:data, bytes}}, %{port: port} = state) do
    case Frame.decode(bytes) do
      {:ok, frame} -> {:noreply, handle_frame(frame, state)}
      :error -> {:noreply, garbled(bytes, state)}
    end
  end

  def handle_info({port, {:exit_status, status}}, %{port: port} = state) do
    {:noreply, lost(state, status)}
  end

  # The port broke while it was written to, so its exit status was not told.
  def handle_info({:EXIT, port, _reason}, %{port: port} = state) do
    {:noreply, lost(state, @unknown_status)}
  end

  # The last words of a port that was given up.
  def handle_info({port, _message}, state) when is_port(port), do: {:noreply, state}
  def handle_info({:EXIT, port, _reason}, state) when is_port(port), do: {:noreply, state}
  def handle_info({:EXIT, _pid, reason}, state), do: {:stop, reason, state}

  def handle_info({:DOWN, monitor, :process, _pid, _reason}, state) do
    {known, sessions} = Sessions.down(state.sessions, monitor)

    with {id, entry} <- known do
      if Sessions.pid(state.sessions, id), do: command(state.port, {:orphan, id})
      wind_up(entry)
    end

    {:noreply, %{state | sessions: sessions}}
  end

  def handle_info({:hello_timeout, port}, %{port: port, stage: :opening} = state) do
    Logger.error("#{state.path} does not say hello as an agent does")
    {:noreply, refuse(state, {:error, @eproto, :protocol})}
  end

  def handle_info({:hello_timeout, _port}, state), do: {:noreply, state}

  def handle_info(message, state) do
    Logger.warning("ignoring unexpected message #{inspect(message)}")
    {:noreply, state}
  end

  # An agent of its own goes with its session, and may hear of no other end of it.
  @impl true
  def terminate(_reason, state) do
    for entry <- Sessions.entries(state.sessions),
        not Process.alive?(entry.pid),
        do: wind_up(entry)

    :ok
  end

  # Opening

  defp ensure_open(%{stage: :opening} = state), do: state

  defp ensure_open(%{stage: :closed} = state) do
    if state.shared?, do: Heritage.note_env()
    cwd = Heritage.cwd()
    port = Link.open(state.path, state.args, cwd)
    timer = Process.send_after(self(), {:hello_timeout, port}, @hello_timeout)
    %{state | port: port, cwd: cwd, stage: :opening, hello_timer: timer}
  rescue
    error in ErlangError ->
      Logger.error("cannot start the agent #{state.path}: #{inspect(error.original)}")
      reject(state, {:error, Link.shell_status(error.original), :agent_died})
  end

  # Frames

  defp handle_frame({:hello, protocol, version, _info}, %{stage: :opening} = state) do
    Process.cancel_timer(state.hello_timer)

    ours = Frame.protocol()

    if protocol == ours do
      opened(state)
    else
      Logger.error("agent #{inspect(version)} speaks protocol #{protocol}, not #{ours}")
      refuse(state, {:error, @eproto, :protocol})
    end
  end

  defp handle_frame(_frame, %{stage: :opening} = state) do
    Logger.error("#{state.path} does not say hello as an agent does")
    refuse(state, {:error, @eproto, :protocol})
  end

  defp handle_frame({:event, id, {:ready, host_pid, _child_pid} = event}, state) do
    deliver(state, id, event)
    %{state | sessions: Sessions.ready(state.sessions, id, host_pid)}
  end

  defp handle_frame({:event, id, event}, state), do: deliver(state, id, event)

  defp handle_frame({:terminal, id, event}, state) do
    deliver(state, id, event)
    %{state | sessions: Sessions.ended(state.sessions, id)}
  end

  defp handle_frame({:refused, reason}, state) do
    Logger.warning("the agent refused a frame: #{reason}")
    state
  end

  defp handle_frame({:hello, _protocol, _version, _info}, state), do: state

  defp deliver(state, id, event) do
    if pid = Sessions.pid(state.sessions, id), do: send(pid, {:linx_agent, event})
    state
  end

  defp garbled(bytes, %{stage: :opening} = state) do
    Logger.error("#{state.path} does not say hello as an agent does: #{preview(bytes)}")
    refuse(state, {:error, @eproto, :protocol})
  end

  defp garbled(bytes, state) do
    Logger.error("the agent sent a frame that cannot be read: #{preview(bytes)}")
    state
  end

  defp preview(bytes), do: inspect(binary_part(bytes, 0, min(byte_size(bytes), 64)))

  # Sessions in and out

  defp opened(state) do
    state = hand_over(%{state | leftovers: []}, state.leftovers)
    announce(state)
    for waiting <- Enum.reverse(state.waiting), do: admit(state, waiting)
    %{state | stage: :open, waiting: []}
  end

  defp hand_over(state, leftovers) do
    {frames, leftovers} = Leftovers.hand_over(leftovers)
    for frame <- frames, do: command(state.port, frame)
    %{state | leftovers: leftovers ++ state.leftovers}
  end

  # Sessions that start from here on need not ask.
  defp announce(%{shared?: true} = state),
    do: :persistent_term.put(@open, {state.port, state.cwd, state.ids})

  defp announce(_dedicated), do: :ok

  defp withdraw(%{shared?: true}), do: :persistent_term.erase(@open)
  defp withdraw(_dedicated), do: true

  defp add(state, id, session, grace, words),
    do: %{state | sessions: Sessions.add(state.sessions, id, session, grace, words)}

  defp admit(state, {session, id}),
    do: send(session, {:linx_agent, {:registered, id, state.port, state.cwd}})

  # Does for a session what it would have done at its end, and did not.
  defp wind_up(entry) do
    Unsettled.clear(entry.host_pid, entry.pid)
    with {owner, message} <- entry.last_words, do: send(owner, message)
  end

  defp lost(%{stage: :opening} = state, status) do
    Logger.error("#{state.path} ended with status #{status} before it said hello")
    Process.cancel_timer(state.hello_timer)
    state |> reject({:error, status, :agent_died}) |> succeed([])
  end

  defp lost(%{stage: :open} = state, status) do
    withdraw(state)
    {pids, children, sessions} = Sessions.clear(state.sessions)
    for pid <- pids, do: send(pid, {:linx_agent, {:error, status, :agent_died}})
    Logger.error("the agent ended with status #{status}; sessions lost: #{length(pids)}")
    state = %{state | stage: :closed, port: nil, sessions: sessions}
    succeed(state, Leftovers.new(children))
  end

  # What a dead agent has left behind is the next one's business, at once; an agent of one session has no next one.
  defp succeed(%{shared?: false} = state, leftovers) do
    if leftovers != [], do: GenServer.cast(__MODULE__, {:leftovers, leftovers})
    state
  end

  defp succeed(state, leftovers) do
    {again, given_up} = Leftovers.agent_lost(state.leftovers)

    if given_up != [], do: Logger.error("may still run: #{Enum.join(given_up, ", ")}")
    state = %{state | leftovers: leftovers ++ again}
    if state.leftovers == [], do: state, else: ensure_open(state)
  end

  defp refuse(state, event) do
    Process.cancel_timer(state.hello_timer)
    Link.close(state.port)
    reject(state, event)
  end

  defp reject(state, event) do
    for {session, _id} <- state.waiting, do: send(session, {:linx_agent, event})
    {_waiting, _none, sessions} = Sessions.clear(state.sessions)
    %{state | stage: :closed, port: nil, waiting: [], sessions: sessions}
  end
end
