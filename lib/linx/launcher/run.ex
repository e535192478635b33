defmodule Linx.Launcher.Run do
  @moduledoc false
  # A session from its start to its `execve`. All of it runs in the process that launches.

  alias Linx.Launcher
  alias Linx.Process.{Error, Session}

  @spec run(Linx.Process.t(), Launcher.callback() | nil, [Session.verb()]) ::
          {:ok, Linx.Process.t()} | {:error, term()}
  def run(session, callback, verbs) do
    monitor = Process.monitor(session)
    answer = session |> steps(callback, verbs) |> settle(session, monitor)
    Process.demonitor(monitor, [:flush])
    if match?({:error, _}, answer), do: discard(session)
    answer
  end

  @doc "Calls `callback` with a parked session, and discards that."
  @spec try_out(Linx.Process.t(), Launcher.callback()) :: :ok | {:error, term()}
  def try_out(session, callback) do
    answer =
      case Linx.Process.host_pid(session) do
        {:ok, _host_pid} -> call(callback, session)
        {:error, :no_process} -> :ok
      end

    # Asked in any case: a refused verb is told before what the callback made of it.
    verdict = verdict(Linx.Process.info(session))
    discard(session)
    if verdict == :ok, do: answer, else: verdict
  end

  defp verdict({:ok, %{stage: stage}}) when stage in [:ready, :aborted], do: :ok
  defp verdict({:ok, %{result: %Error{} = error}}), do: {:error, error}
  defp verdict({:ok, %{result: {:signaled, _} = killed}}), do: {:error, killed}
  defp verdict({:ok, _ran}), do: {:error, {:callback, :proceeded}}
  defp verdict({:error, :no_process}), do: {:error, :aborted}

  defp steps(session, callback, verbs) do
    with {:ok, _host_pid} <- Linx.Process.host_pid(session),
         :ok <- call(callback, session),
         :ok <- send_all(session, verbs),
         do: Linx.Process.proceed(session)
  end

  defp call(nil, _session), do: :ok

  defp call(callback, session) do
    case callback.(session) do
      :ok -> :ok
      {:error, reason} -> {:error, {:callback, reason}}
      other -> {:error, {:callback, {:bad_return, other}}}
    end
  catch
    kind, reason ->
      discard(session)
      :erlang.raise(kind, reason, __STACKTRACE__)
  end

  defp send_all(_session, []), do: :ok

  defp send_all(session, [verb | rest]) do
    with :ok <- Session.verb(session, verb), do: send_all(session, rest)
  end

  defp settle({:error, {:callback, _}} = refused, _session, _monitor), do: refused
  defp settle({:error, :running}, _session, _monitor), do: {:error, {:callback, :proceeded}}

  defp settle(sent, session, monitor) do
    case {result(session, monitor), sent} do
      {%Error{} = error, _} -> {:error, error}
      {:aborted, _} -> {:error, :aborted}
      {_running_or_ended, :ok} -> {:ok, session}
      {{:signaled, _} = killed, {:error, :no_process}} -> {:error, killed}
      {_exited, {:error, :no_process}} -> {:error, {:callback, :proceeded}}
    end
  end

  # A session that was told to proceed answers once it knows what came of it.
  defp result(session, monitor) do
    case Linx.Process.info(session) do
      {:ok, info} -> info.result
      {:error, :no_process} -> exit_result(monitor)
    end
  end

  defp exit_result(monitor) do
    receive do
      {:DOWN, ^monitor, :process, _session, {:error, %Error{} = error}} -> error
      {:DOWN, ^monitor, :process, _session, {:shutdown, :aborted}} -> :aborted
      {:DOWN, ^monitor, :process, _session, reason} -> reason
    end
  end

  # Takes the child along, whatever it is doing.
  defp discard(session) do
    :gen_statem.stop(session)
  catch
    :exit, _gone -> :ok
  end
end
