defmodule Linx.Run.Explain do
  @moduledoc false
  # What `mix linx.explain` says: the sets a program would have under `mix linx.run`, and why.
  #
  # Everything up to the execve really happens, to a parked child that is then discarded; the execve
  # is predicted (`Linx.Capabilities.Execve`).

  alias Linx.{Capabilities, Process}
  alias Linx.Capabilities.{Error, Execve}
  alias Linx.CLI.{Json, Table, Task, Terminal}
  alias Linx.Run.{Checkpoint, Options, Refusal}

  # What env(1) and the shells return for a program that cannot be executed.
  @not_executable 126

  @doc "Explains; the exit status is 0 if the kernel would execute the program."
  @spec run(Options.t()) :: 0..255
  def run(%Options{argv: [name | arguments]} = options) do
    argv = [System.find_executable(name) || name | arguments]

    with {:ok, before, session} <- Checkpoint.park(%{options | argv: argv}, stdio: :devnull),
         {:ok, checkpoint, account} <- predict(session, hd(argv), options) do
      moments = [{"now", before}, {"at the checkpoint", checkpoint}]
      IO.write(format(options.show, hd(argv), moments, account))
      if refused?(account), do: @not_executable, else: 0
    else
      {:error, %Process.Error{} = error} ->
        failed(Refusal.at_stage(error.code, error.stage, argv))

      {:error, reason} ->
        failed(Refusal.before_launch(reason, argv))
    end
  end

  # A verb that the kernel refuses ends the session, and its end tells why.
  defp predict(session, path, options) do
    result = explain(session, path, options)
    _ = Process.abort(session)

    case {result, Process.wait(session)} do
      {{:error, _no_session}, {:error, %Process.Error{} = error}} ->
        {:error, error}

      {{:error, %Error{operation: :execve} = error}, _} ->
        {:error, Process.Error.new(:execve, error.code)}

      {result, _aborted} ->
        result
    end
  end

  defp explain(session, path, options) do
    with {:ok, pid} <- Process.host_pid(session),
         :ok <- Checkpoint.confine(session, options),
         {:ok, checkpoint} <- Capabilities.read(pid),
         {:ok, account} <- Execve.explain(session, path),
         do: {:ok, checkpoint, account}
  end

  defp failed({sentence, status}) do
    Task.complain("linx.explain", sentence)
    status
  end

  defp refused?(account), do: account.result == {:error, :eperm}

  defp format(:json, path, [{_, before}, {_, checkpoint}], account) do
    object = [
      program: path,
      interpreters: account.interpreters,
      refused: refused?(account),
      missing: Enum.sort(account.missing),
      now: Json.sets(before),
      checkpoint: Json.sets(checkpoint),
      after_exec: with({:ok, state} <- account.result, do: Json.sets(state)) |> object_or_null(),
      uid: ids(account.uid),
      gid: ids(account.gid),
      secure_exec: account.secure_exec?,
      rules: Enum.map(account.rules, &rule_object/1)
    ]

    [Json.encode(object), ?\n]
  end

  defp format(show, path, moments, account) do
    [
      [Terminal.printable(path), ?\n],
      interpreter(account.interpreters),
      Table.format(moments ++ after_exec(account.result)),
      [?\n, account.rules |> Enum.filter(&(&1.applied? or show == :table)) |> Enum.map(&rule/1)],
      [?\n, conclusion(account)]
    ]
  end

  defp object_or_null({:error, :eperm}), do: nil
  defp object_or_null(sets), do: sets

  defp ids(nil), do: nil
  defp ids({real, effective}), do: [real: real, effective: effective]

  defp rule_object(rule),
    do: [rule: rule.rule, applied: rule.applied?, meaning: rule.meaning, formula: rule.formula]

  defp after_exec({:ok, state}), do: [{"after exec", state}]
  defp after_exec({:error, :eperm}), do: []

  # Of a script the kernel asks the interpreter's rights.
  defp interpreter([]), do: []

  defp interpreter(names),
    do: ["a script: the rights of ", names |> List.last() |> Terminal.printable(), " count\n"]

  defp rule(%{applied?: true} = rule) do
    Terminal.format([:bright, "+ ", rule.meaning, :reset, "\n    ", rule.formula, ?\n])
  end

  defp rule(rule), do: ["- ", rule.meaning, "\n    ", rule.formula, ?\n]

  defp conclusion(%{result: {:error, :eperm}} = account) do
    missing = Table.words(account.missing)

    Terminal.format([
      :red,
      "The kernel would refuse to execute it (EPERM): the file insists on ",
      missing,
      ".",
      :reset,
      ?\n
    ])
  end

  defp conclusion(%{result: {:ok, _state}} = account) do
    {real, effective} = account.uid
    secure = if account.secure_exec?, do: ", told to be careful (AT_SECURE)", else: ""
    ["It would run with uid #{real}, effective #{effective}#{secure}.\n"]
  end
end
