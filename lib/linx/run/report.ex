defmodule Linx.Run.Report do
  @moduledoc false
  # What `mix linx.run` says about a workload, on standard error, for people or for programs.

  alias Linx.Capabilities.State
  alias Linx.CLI.{Json, Table, Task}

  @type format :: :no | :table | :json
  @type moment :: :before | :checkpoint | :running

  @doc "The sets at one moment; `nil` when the workload ended before they could be read."
  @spec sets(format(), moment(), pos_integer() | nil, State.t() | nil) :: :ok
  def sets(:no, _moment, _pid, _state), do: :ok

  def sets(:json, moment, pid, state),
    do: json(event: moment, pid: pid, sets: state && Json.sets(state))

  def sets(:table, moment, _pid, nil), do: line([title(moment), ": it has ended already"])

  def sets(:table, moment, pid, state) do
    IO.write(:stderr, Table.format([{title(moment) <> of(pid), state}]))
  end

  @doc "How the workload ended; returns the status of the task."
  @spec ended(format(), :exited | :signaled, non_neg_integer(), status) :: status
        when status: 0..255
  def ended(:json, :exited, code, status) do
    json(event: :exited, code: code, status: status)
    status
  end

  def ended(:json, :signaled, signal, status) do
    json(event: :signaled, signal: signal, status: status)
    status
  end

  def ended(_format, _how, _number, status), do: status

  @doc "That there was nothing to follow; returns the status of the task."
  @spec failed(format(), String.t(), status) :: status when status: 0..255
  def failed(:json, message, status) do
    json(event: :failed, message: message, status: status)
    status
  end

  def failed(_format, message, status) do
    complain(message)
    status
  end

  @doc "One sentence on standard error."
  @spec complain(String.t()) :: :ok
  def complain(message), do: Task.complain("linx.run", message)

  defp title(:before), do: "before"
  defp title(:checkpoint), do: "at the checkpoint"
  defp title(:running), do: "after exec"

  defp of(nil), do: ""
  defp of(pid), do: ", pid #{pid}"

  defp json(object), do: object |> Json.encode() |> line()

  defp line(text), do: IO.puts(:stderr, text)
end
