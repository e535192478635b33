defmodule Linx.Process.Calls do
  @moduledoc false
  # What a session answers to whom, by the state it is in:
  #
  #     :starting    waits for its agent
  #     :spawned     the child is being set up
  #     :ready       the child is parked
  #     :proceeding  it was told to exec, and it is not known yet whether that worked
  #     :aborting    it was told to go
  #     :running, :done
  #
  # In the two undecided states a call that depends on the outcome is put off until it is known.

  alias Linx.AgentPort
  alias Linx.Process.{Ending, Input, SessionData}

  @early [:starting, :spawned]
  @undecided [:proceeding, :aborting]

  @type state :: :starting | :spawned | :ready | :proceeding | :aborting | :running | :done
  @type result :: :gen_statem.event_handler_result(state())

  @spec handle(term(), :gen_statem.from(), state(), SessionData.t()) :: result()
  def handle(request, from, state, data)

  def handle(:proceed, from, state, data) do
    case state do
      state when state in @early -> reply(from, {:error, :not_ready})
      :ready -> data |> SessionData.command({:proceed}) |> decided(:proceeding, from, data)
      :aborting -> postpone()
      :done -> reply(from, {:error, :no_process})
      _running -> reply(from, {:error, :running})
    end
  end

  def handle({:verb, verb}, from, state, data) do
    case state do
      state when state in @early -> reply(from, {:error, :not_ready})
      :ready -> verb(verb, from, data)
      :aborting -> postpone()
      :done -> reply(from, {:error, :no_process})
      _running -> reply(from, {:error, :running})
    end
  end

  def handle(:abort, from, state, data) do
    case state do
      :spawned when data.options.auto_proceed and data.abort != :kept -> ask_abort(from, data)
      state when state in @early -> {:keep_state, %{data | abort: :kept}, {:reply, from, :ok}}
      :ready -> data |> SessionData.command({:abort}) |> decided(:aborting, from, data)
      :aborting -> reply(from, :ok)
      :done -> reply(from, {:error, :no_process})
      _running -> reply(from, {:error, :running})
    end
  end

  def handle({:signal, signum}, from, state, data) do
    case state do
      :running -> data |> SessionData.command({:signal, signum}) |> sent(from)
      :done -> reply(from, {:error, :no_process})
      :aborting -> postpone()
      _parked -> {:keep_state, %{data | signals: [signum | data.signals]}, {:reply, from, :ok}}
    end
  end

  def handle(:host_pid, from, state, data) do
    if state in @early, do: postpone(), else: settled(:host_pid, from, state, data)
  end

  def handle(:checkpoint, from, state, data) do
    case state do
      :ready -> {:keep_state, SessionData.settle(data, from, :checkpoint)}
      :running -> reply(from, {:error, :running})
      :done -> reply(from, {:error, :no_process})
      _undecided -> postpone()
    end
  end

  def handle(:info, from, state, data) do
    cond do
      state in @undecided -> postpone()
      state in [:ready, :done] -> settled(:info, from, state, data)
      true -> reply(from, {:ok, SessionData.info(data, state)})
    end
  end

  def handle(:settle, from, state, data), do: settled(:settle, from, state, data)

  def handle({:wait, _timeout}, from, :done, data), do: reply(from, Ending.outcome(data.result))
  def handle({:wait, 0}, from, _state, _data), do: reply(from, {:error, :timeout})

  def handle({:wait, timeout}, {caller, _tag} = from, _state, data) do
    monitor = Process.monitor(caller)

    {:keep_state, %{data | waiters: Map.put(data.waiters, monitor, from)},
     {{:timeout, {:wait, monitor}}, timeout, :expired}}
  end

  def handle({:set_owner, owner}, from, state, data) do
    cond do
      state == :done ->
        reply(from, {:error, :no_process})

      # Whoever speaks for the session is told the owner together with its id.
      state == :starting ->
        postpone()

      true ->
        data = SessionData.owned_by(data, owner)
        AgentPort.change_last_words(data.agent, data.id, SessionData.last_words(data))
        {:keep_state, data, {:reply, from, :ok}}
    end
  end

  def handle({:write, where, bytes}, from, state, data) do
    with :ok <- writable(where, state, data) do
      {:keep_state, SessionData.feed(data, Input.write(data.input, bytes, from))}
    else
      :postpone -> postpone()
      error -> reply(from, error)
    end
  end

  def handle(:close_stdin, from, state, %{input: %{closing?: true}}) when state != :done,
    do: reply(from, :ok)

  def handle(:close_stdin, from, state, data) do
    with :ok <- writable(:pipe, state, data) do
      {:keep_state, SessionData.feed(data, Input.close(data.input)), {:reply, from, :ok}}
    else
      :postpone -> postpone()
      error -> reply(from, error)
    end
  end

  def handle({:winsize, size}, from, state, data) do
    cond do
      state == :done -> reply(from, {:error, :no_process})
      data.options.stdio != :pty -> reply(from, {:error, :no_pty})
      state in @early -> {:keep_state, %{data | winsize: size}, {:reply, from, :ok}}
      true -> data |> SessionData.command({:winsize, size}) |> sent(from)
    end
  end

  def handle(:pty_master, from, _state, data) do
    reply(from, if(data.options.stdio == :pty, do: {:ok, self()}, else: {:error, :no_pty}))
  end

  defp reply(from, reply), do: {:keep_state_and_data, {:reply, from, reply}}
  defp postpone, do: {:keep_state_and_data, :postpone}

  defp sent(:ok, from), do: reply(from, :ok)
  defp sent(:closed, from), do: reply(from, {:error, :no_process})

  # Verbs on their way reach the child before what is sent now.
  defp decided(:ok, state, from, data),
    do: {:next_state, state, SessionData.forget_verbs(data), {:reply, from, :ok}}

  defp decided(:closed, _state, from, _data), do: reply(from, {:error, :no_process})

  defp verb(verb, from, data) do
    case SessionData.command(data, {:verb, verb}) do
      :ok -> {:keep_state, SessionData.unsettle(data), {:reply, from, :ok}}
      :closed -> reply(from, {:error, :no_process})
    end
  end

  # The child proceeds on its own: the agent decides who comes first.
  defp ask_abort(from, data) do
    SessionData.command(data, {:abort})
    callers = if match?({:asked, _}, data.abort), do: elem(data.abort, 1), else: []
    {:keep_state, %{data | abort: {:asked, [from | callers]}}}
  end

  defp settled(request, from, state, data) do
    if state == :ready and not SessionData.settled?(data),
      do: {:keep_state, SessionData.settle(data, from, request)},
      else: reply(from, Ending.answer(request, data))
  end

  defp writable(where, state, data) do
    cond do
      state == :done -> {:error, :no_process}
      where == :pty and data.options.stdio != :pty -> {:error, :no_pty}
      where == :pipe and (not pipe?(data) or data.input.closing?) -> {:error, :no_stdin}
      state in @undecided -> :postpone
      state == :running -> :ok
      true -> {:error, :not_running}
    end
  end

  defp pipe?(data), do: match?({:pipe, _, _}, data.options.stdio)
end
