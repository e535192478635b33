defmodule Linx.Run.Launch do
  @moduledoc false
  # The life of one workload under `mix linx.run`: launched, confined, followed to its end.
  # The calling process owns the session.

  alias Linx.{Capabilities, Process}
  alias Linx.Run.{Checkpoint, Options, Refusal, Report, Signals, Stdin}

  @doc "Runs the workload and returns the exit status of the task."
  @spec run(Options.t()) :: 0..255
  def run(%Options{} = options) do
    stdio = [stdin: Stdin.source(), stdout: :inherit, stderr: :inherit]

    with {:ok, before, session} <- Checkpoint.park(options, stdio: stdio) do
      Signals.catch_for(self())
      status = follow(session, options, before)
      Signals.release()
      status
    else
      {:error, reason} -> failed(options, Refusal.before_launch(reason, options.argv))
    end
  end

  defp follow(session, options, before) do
    receive do
      {:linx_process, :ready, pid} ->
        confine(session, pid, options, before)
        follow(session, options, before)

      {:linx_process, :running} ->
        started(session, options)
        follow(session, options, before)

      {:caught_signal, number} ->
        _ = Process.signal(session, number)
        follow(session, options, before)

      {:linx_process, :exited, code} ->
        Report.ended(options.show, :exited, code, code)

      {:linx_process, :signaled, number} ->
        Report.ended(options.show, :signaled, number, 128 + number)

      {:linx_process, :error, errno, stage} ->
        failed(options, Refusal.at_stage(errno, stage, options.argv))
    end
  end

  defp confine(session, pid, options, before) do
    Checkpoint.confine(session, options)
    Report.sets(options.show, :before, nil, before)
    show(options, :checkpoint, pid)
    _ = Process.proceed(session)
  end

  defp started(session, options) do
    with {:ok, pid} <- Process.host_pid(session), do: show(options, :running, pid)
    Stdin.relay(session)
  end

  defp show(%Options{show: :no}, _moment, _pid), do: :ok

  defp show(%Options{show: format}, moment, pid) do
    case Capabilities.read(pid) do
      {:ok, state} -> Report.sets(format, moment, pid, state)
      {:error, _it_has_ended} -> Report.sets(format, moment, pid, nil)
    end
  end

  defp failed(options, {message, status}), do: Report.failed(options.show, message, status)
end
