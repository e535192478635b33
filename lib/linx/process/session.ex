defmodule Linx.Process.Session do
  @moduledoc false
  # One child and its session: the process behind `t:Linx.Process.t/0`.
  #
  # `Linx.Process` is the way to talk to it. Here are, beside that, the two functions that the checkpoint verbs and the
  # readers of process states are built from: `verb/2` and `settle/1`.

  @behaviour :gen_statem

  alias Linx.AgentPort
  alias Linx.AgentPort.Unsettled
  alias Linx.Process.{Calls, Ending, Input, Options, SessionData}

  require Logger

  # Refusals after which a child that is being set up will never come.
  @fatal_faults [:malformed, :too_large, :unknown_command, :bad_argument, :id_in_use]
  @einval 22
  # Milliseconds without a message after which a session's process gives its memory back.
  @idle 200

  @typedoc "A checkpoint verb, as `docs/PROTOCOL.md` lists them."
  @type verb :: tuple()

  @doc "Starts a session, linked to the caller, and returns without waiting for the child."
  @spec start_link(Options.t()) :: {:ok, pid()}
  def start_link(options), do: :gen_statem.start_link(__MODULE__, options, hibernate_after: @idle)

  @doc """
  Asks a session. Whatever is wrong with it, or with its node, is `{:error, :no_process}`.

      iex> Linx.Process.Session.call(spawn(fn -> :ok end), :info)
      {:error, :no_process}
  """
  @spec call(pid(), term()) :: term()
  def call(session, request) do
    :gen_statem.call(session, request, :infinity)
  catch
    :exit, _gone -> {:error, :no_process}
  end

  @doc """
  Sends a verb to a parked child.

  `:ok` says that it is on its way. A refusal by the kernel ends the session with `{:linx_process, :error, errno, stage}`.
  """
  @spec verb(pid(), verb()) :: :ok | {:error, :not_ready | :running | :no_process}
  def verb(session, verb) when is_pid(session) and is_tuple(verb) do
    call(session, {:verb, verb})
  end

  @doc """
  Waits until every verb sent to the parked child `host_pid` has been applied, so that its state in `/proc` shows them.

  For any other process it costs one lookup.

      iex> Linx.Process.Session.settle(1)
      :ok
  """
  @spec settle(pos_integer()) :: :ok
  def settle(host_pid) do
    with {:ok, session} <- Unsettled.session(host_pid),
         {:error, :no_process} <- call(session, :settle) do
      Unsettled.clear(host_pid, session)
    else
      _settled -> :ok
    end
  end

  @doc """
  What a parked child will exec with and procfs does not tell, when every verb sent so far has been applied. Waits for the
  checkpoint.
  """
  @spec checkpoint(pid()) ::
          {:ok, SessionData.checkpoint()} | {:error, :running | :no_process}
  def checkpoint(session) when is_pid(session), do: call(session, :checkpoint)

  @impl true
  def callback_mode, do: :handle_event_function

  @impl true
  def init(options) do
    Process.flag(:trap_exit, true)
    agent = agent(options.agent)
    data = %{SessionData.new(options) | agent: agent, agent_monitor: Process.monitor(agent)}

    grace = left_alone_or_grace(options.orphan_policy)

    case AgentPort.join(agent, self(), grace, SessionData.last_words(data)) do
      {:ok, id, port, agent_cwd} -> {:ok, :spawned, start(data, id, port, agent_cwd)}
      :wait -> {:ok, :starting, data}
    end
  end

  defp agent(:shared), do: AgentPort

  defp agent(:dedicated) do
    {:ok, agent} = AgentPort.start_link(name: nil)
    agent
  end

  defp left_alone_or_grace(:linger), do: nil
  defp left_alone_or_grace({:kill, grace}), do: grace

  @impl true
  def handle_event({:call, from}, request, state, data),
    do: Calls.handle(request, from, state, data)

  def handle_event(:info, {:linx_agent, event}, state, data), do: agent_event(event, state, data)

  def handle_event(:info, message, state, data)
      when is_tuple(message) and elem(message, 0) == :linx_credit do
    if state == :done,
      do: :keep_state_and_data,
      else: {:keep_state, SessionData.credit(data, message)}
  end

  def handle_event({:timeout, {:wait, monitor}}, :expired, _state, data) do
    with {from, waiters} when from != nil <- Map.pop(data.waiters, monitor) do
      Process.demonitor(monitor, [:flush])
      {:keep_state, %{data | waiters: waiters}, {:reply, from, {:error, :timeout}}}
    else
      {nil, _waiters} -> :keep_state_and_data
    end
  end

  def handle_event(:info, {:DOWN, monitor, :process, _pid, _reason}, state, data) do
    cond do
      monitor != data.agent_monitor -> {:keep_state, forget_waiter(data, monitor)}
      state == :done -> :keep_state_and_data
      true -> agent_event({:error, AgentPort.unknown_status(), :agent_died}, state, data)
    end
  end

  def handle_event(:info, {:EXIT, agent, _reason}, _state, %{agent: agent}),
    do: :keep_state_and_data

  def handle_event(:info, {:EXIT, _pid, :normal}, _state, _data), do: :keep_state_and_data
  def handle_event(:info, {:EXIT, _pid, reason}, _state, _data), do: {:stop, reason}

  def handle_event(_type, message, _state, _data) do
    Logger.warning("ignoring unexpected message #{inspect(message)}")
    :keep_state_and_data
  end

  @impl true
  def terminate(_reason, _state, data) do
    data = if data.result == nil, do: Ending.reap(data), else: data
    dismiss_agent(data)
  end

  @impl true
  def format_status(%{data: data, state: state} = status),
    do: %{status | data: SessionData.info(data, state)}

  def format_status(status), do: status

  # What the agent says

  defp agent_event(_event, :done, _data), do: :keep_state_and_data

  defp agent_event({:registered, id, port, agent_cwd}, :starting, data) do
    {:next_state, :spawned, start(data, id, port, agent_cwd)}
  end

  defp agent_event({:ready, host_pid, child_pid}, :spawned, data) do
    data = %{data | host_pid: host_pid, child_pid: child_pid}
    SessionData.notify(data, {:ready, host_pid})
    if data.winsize, do: SessionData.command(data, {:winsize, data.winsize})
    parked(data)
  end

  defp agent_event(:running, state, data) when state in [:spawned, :proceeding] do
    SessionData.notify(data, {:running})
    for signum <- Enum.reverse(data.signals), do: SessionData.command(data, {:signal, signum})
    if match?({:asked, _}, data.abort), do: refuse_abort(data.abort)
    {:next_state, :running, %{data | signals: [], abort: nil}}
  end

  defp agent_event({:output, stream, bytes}, _state, data),
    do: {:keep_state, SessionData.output(data, stream, bytes)}

  defp agent_event({:written, size}, _state, data),
    do: {:keep_state, SessionData.feed(data, Input.written(data.input, size))}

  defp agent_event({:synced, securebits}, _state, data),
    do: {:keep_state, synced(%{data | securebits: securebits})}

  defp agent_event({:fault, reason}, :spawned, data) when reason in @fatal_faults,
    do: finish({:error, @einval, :protocol}, data)

  defp agent_event({:fault, reason}, _state, data) do
    Logger.debug("the agent refused a frame of session #{data.id}: #{reason}")
    :keep_state_and_data
  end

  defp agent_event(:aborted, _state, data), do: finish(:aborted, data)

  defp agent_event(end_of_it, _state, data)
       when elem(end_of_it, 0) in [:exited, :signaled, :error],
       do: finish(end_of_it, data)

  defp agent_event(event, _state, _data) do
    Logger.warning("ignoring unexpected message #{inspect({:linx_agent, event})}")
    :keep_state_and_data
  end

  defp start(data, id, port, agent_cwd) do
    data = %{data | id: id, port: port}
    SessionData.command(data, {:spawn, spec(data, agent_cwd)})
    # What the child has been told need not be kept as long as it lives.
    %{data | options: %{data.options | argv: [], env: nil, caps: []}}
  end

  # An abort that came before anything started wins over `auto_proceed`.
  defp spec(data, agent_cwd) do
    spec = Options.spec(data.options, agent_cwd)
    if data.abort == :kept, do: %{spec | proceed: false}, else: spec
  end

  defp parked(%{abort: :kept} = data) do
    SessionData.command(data, {:abort})
    {:next_state, :aborting, data}
  end

  defp parked(%{options: %{auto_proceed: true}} = data), do: {:next_state, :proceeding, data}
  defp parked(data), do: {:next_state, :ready, data}

  defp refuse_abort({:asked, callers}), do: SessionData.reply_all(callers, {:error, :running})

  defp synced(data) do
    case :queue.out(data.syncs) do
      {{:value, {from, request}}, syncs} ->
        data = %{data | syncs: syncs}
        :gen_statem.reply(from, Ending.answer(request, data))
        if SessionData.settled?(data), do: SessionData.forget_verbs(data), else: data

      {:empty, _} ->
        data
    end
  end

  defp forget_waiter(data, monitor), do: %{data | waiters: Map.delete(data.waiters, monitor)}

  defp finish(end_of_it, data) do
    data = Ending.finish(data, end_of_it)

    if data.options.linger do
      dismiss_agent(data)
      {:next_state, :done, data}
    else
      {:stop, Ending.exit_reason(data.result), data}
    end
  end

  defp dismiss_agent(%{options: %{agent: :dedicated}} = data),
    do: Process.exit(data.agent, :shutdown)

  defp dismiss_agent(_data), do: true
end
