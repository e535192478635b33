defmodule Linx.Process.Ending do
  @moduledoc false
  # The end of a session: what everybody is told, and how a workload is seen off when its session has to go first.

  alias Linx.AgentPort
  alias Linx.Process.{Error, Info, SessionData}

  @default_grace 5_000
  # What the agent may take to report an end that it has brought about.
  @margin 1_000
  # What is told of an end that the agent does not report in that time.
  @etimedout 110
  # Output of a workload that is being stopped is handed on up to this many bytes, and the rest is thrown away.
  @last_output 1_048_576

  @doc "Tells owner and callers the end, once; the data then hold the result."
  @spec finish(SessionData.t(), Linx.AgentPort.Frame.result()) :: SessionData.t()
  def finish(data, end_of_it) do
    data = %{SessionData.forget_verbs(data) | result: result(end_of_it)}
    tell(data, event(end_of_it))
    for monitor <- Map.keys(data.waiters), do: Process.demonitor(monitor, [:flush])
    SessionData.reply_all(Map.values(data.waiters), outcome(data.result))
    SessionData.reply_all(data.input.writers, {:error, :no_process})

    for {from, request} <- :queue.to_list(data.syncs) do
      :gen_statem.reply(from, answer(request, data))
    end

    answer_abort(data.abort, data.result)
    # Whoever has waited for this goes on before this process clears away.
    :erlang.yield()
    %{data | waiters: %{}, syncs: :queue.new(), abort: nil, input: %{data.input | writers: []}}
  end

  # Both or nothing, even if this process is killed: none that has just been scheduled is interrupted between two sends.
  defp tell(data, event) do
    :erlang.yield()
    SessionData.notify(data, event)
    AgentPort.told(data.agent, data.id)
  end

  @doc "What `Linx.Process.wait/2` returns for a result."
  @spec outcome(term()) :: {:ok, term()} | {:error, Error.t()}
  def outcome(%Error{} = error), do: {:error, error}
  def outcome(result), do: {:ok, result}

  @doc "The last stage of a session with that result."
  @spec stage(term()) :: Info.stage()
  def stage(%Error{}), do: :errored
  def stage({kind, _n}), do: kind
  def stage(:aborted), do: :aborted

  @doc "With what a session that does not linger ends."
  @spec exit_reason(term()) :: term()
  def exit_reason({:exited, 0}), do: :normal
  def exit_reason(:aborted), do: {:shutdown, :aborted}
  def exit_reason(%Error{} = error), do: {:error, error}
  def exit_reason(result), do: result

  @doc """
  What `host_pid/1`, `info/1` and a reader of capabilities are told once there is nothing more to wait for.
  """
  @spec answer(:settle | :host_pid | :checkpoint | :info, SessionData.t()) :: term()
  def answer(:settle, _data), do: :ok
  def answer(:host_pid, %{host_pid: nil}), do: {:error, :no_process}
  def answer(:host_pid, data), do: {:ok, data.host_pid}
  def answer(:checkpoint, %{result: nil} = data), do: {:ok, SessionData.checkpoint(data)}
  def answer(:checkpoint, _data), do: {:error, :no_process}
  def answer(:info, %{result: nil} = data), do: {:ok, SessionData.info(data, :ready)}
  def answer(:info, data), do: {:ok, SessionData.info(data, stage(data.result))}

  @doc "Ends the workload and waits for it, so that nothing is left when the session is gone; then tells the end."
  @spec reap(SessionData.t()) :: SessionData.t()
  def reap(%{id: nil} = data), do: finish(data, :aborted)

  def reap(data) do
    data = SessionData.owned_by(data, data.owner)
    grace = grace(data.options.orphan_policy)
    # An agent that is gone cannot be told, but its end is on the way.
    SessionData.command(data, {:stop, grace})
    await_end(data, System.monotonic_time(:millisecond) + grace + @margin, @last_output)
  end

  defp grace({:kill, grace}), do: grace
  defp grace(:linger), do: @default_grace

  defp await_end(data, deadline, room) do
    receive do
      {:linx_agent, {:output, stream, bytes}} ->
        await_end(data, deadline, last_output(data, stream, bytes, room))

      {:linx_agent, {:ready, host_pid, _child_pid}} ->
        SessionData.notify(data, {:ready, host_pid})
        await_end(data, deadline, room)

      {:linx_agent, :running} ->
        SessionData.notify(data, {:running})
        await_end(data, deadline, room)

      {:linx_agent, end_of_it}
      when end_of_it == :aborted or elem(end_of_it, 0) in [:exited, :signaled, :error] ->
        finish(data, end_of_it)

      {:DOWN, monitor, :process, _agent, _reason} when monitor == data.agent_monitor ->
        finish(data, {:error, AgentPort.unknown_status(), :agent_died})
    after
      max(deadline - System.monotonic_time(:millisecond), 0) ->
        finish(data, {:error, @etimedout, :protocol})
    end
  end

  # The agent reports no end before the last output, so all output is acknowledged, taken or not.
  defp last_output(data, stream, bytes, room) do
    size = byte_size(bytes)
    if size <= room, do: SessionData.deliver(data, stream, bytes)
    SessionData.command(data, {:ack, size})
    max(room - size, 0)
  end

  defp result({:error, errno, stage}), do: Error.new(stage, errno)
  defp result(end_of_it), do: end_of_it

  defp event(:aborted), do: {:aborted}
  defp event(end_of_it), do: end_of_it

  defp answer_abort({:asked, callers}, :aborted), do: SessionData.reply_all(callers, :ok)

  defp answer_abort({:asked, callers}, _other),
    do: SessionData.reply_all(callers, {:error, :no_process})

  defp answer_abort(_not_asked, _result), do: :ok
end
