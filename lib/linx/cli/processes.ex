defmodule Linx.CLI.Processes do
  @moduledoc false
  # What `mix linx.caps` says about processes and their threads.

  alias Linx.Capabilities
  alias Linx.Capabilities.{IAB, ProcessInfo, Set, State}
  alias Linx.CLI.{Failure, Json, Table, Task, Terminal}

  @typedoc "A process, its depth below what it is shown under, and its threads that differ from the first."
  @type found :: {ProcessInfo.t(), non_neg_integer(), [{pos_integer(), State.t()}]}

  @doc "Shows processes; the exit status."
  @spec run({keyword(), [String.t()]}) :: Task.outcome()
  def run({switches, arguments}) do
    case {switches[:all], switches[:tree], pids(arguments)} do
      {_, _, {:error, sentence}} -> {:usage, sentence}
      {true, true, _} -> {:usage, "--all and --tree exclude each other"}
      {true, _, {:ok, []}} -> table(switches, &flat/1)
      {true, _, _} -> {:usage, "--all shows every process anyway"}
      {_, true, {:ok, roots}} -> table(switches, &tree(&1, roots))
      {_, _, {:ok, []}} -> {:usage, "no process to look at"}
      {_, _, {:ok, pids}} -> each(switches, pids)
    end
  end

  defp pids(arguments) do
    Enum.reduce_while(arguments, {:ok, []}, fn argument, {:ok, pids} ->
      case pid(argument) do
        {:ok, pid} -> {:cont, {:ok, pids ++ [pid]}}
        :error -> {:halt, {:error, "no process id: #{Terminal.printable(argument)}"}}
      end
    end)
  end

  defp pid("self"), do: {:ok, :self}

  defp pid(argument) do
    case Integer.parse(argument) do
      {pid, ""} when pid > 0 -> {:ok, pid}
      _ -> :error
    end
  end

  # One after the other, as getpcaps(8) shows them.
  defp each(switches, pids) do
    {found, missing} = pids |> Enum.map(&one/1) |> Enum.split_with(&match?({:ok, _, _}, &1))

    if switches[:json] do
      objects =
        for {:ok, pid, {leader, threads}} <- found, do: object([pid: pid], leader, threads)

      IO.puts(Json.encode(objects))
    else
      for {:ok, pid, {leader, threads}} <- found, do: IO.write(lines(pid, leader, threads))
    end

    for {:error, pid, error} <- missing, do: Task.complain("linx.caps", gone(pid, error))
    if missing == [], do: 0, else: 1
  end

  defp one(:self), do: :self |> known(System.pid() |> String.to_integer())
  defp one(pid), do: known(pid, pid)

  defp known(target, pid) do
    with {:ok, leader} <- Capabilities.read(target),
         {:ok, threads} <- Capabilities.threads(target) do
      {:ok, pid, {leader, differing(threads, leader)}}
    else
      {:error, error} -> {:error, pid, error}
    end
  end

  defp lines(pid, leader, threads) do
    [
      [Integer.to_string(pid), ": ", text(leader), ?\n]
      | for(
          {tid, state} <- threads,
          do: ["  thread ", Integer.to_string(tid), ": ", text(state), ?\n]
        )
    ]
  end

  defp gone(pid, %{errno: errno}) when errno in [:enoent, :esrch], do: "#{pid}: no such process"
  defp gone(_pid, error), do: Failure.at_path(error)

  defp differing(threads, leader),
    do: Enum.reject(threads, fn {_tid, state} -> state == leader end)

  defp table(switches, arrange) do
    case Capabilities.list() do
      {:ok, list} -> list |> arrange.() |> arranged(switches[:json])
      {:error, error} -> failed(Failure.at_path(error))
    end
  end

  defp arranged({:ok, processes}, json) do
    processes |> Enum.map(&with_threads/1) |> show(json)
    0
  end

  defp arranged({:missing, pid}, _json), do: failed("#{pid}: no such process")

  defp failed(sentence) do
    Task.complain("linx.caps", sentence)
    1
  end

  defp flat(list), do: {:ok, for(info <- Enum.sort_by(list, & &1.pid), do: {info, 0})}

  # Below the given processes, or below those whose parent is not in the list.
  defp tree(list, roots) do
    by_pid = Map.new(list, &{&1.pid, &1})
    children = list |> Enum.sort_by(& &1.pid) |> Enum.group_by(& &1.ppid)

    with {:ok, tops} <- tops(list, by_pid, Enum.map(roots, &own/1)),
         do: {:ok, Enum.flat_map(tops, &branch(&1, 0, children))}
  end

  defp own(:self), do: System.pid() |> String.to_integer()
  defp own(pid), do: pid

  defp tops(list, by_pid, []),
    do: {:ok, list |> Enum.reject(&is_map_key(by_pid, &1.ppid)) |> Enum.sort_by(& &1.pid)}

  defp tops(_list, by_pid, roots) do
    case Enum.reject(roots, &is_map_key(by_pid, &1)) do
      [] -> {:ok, Enum.map(roots, &Map.fetch!(by_pid, &1))}
      [pid | _] -> {:missing, pid}
    end
  end

  # The list was not taken at one moment, so a reused pid could close a circle; no process is descended from twice.
  defp branch(info, depth, children) do
    {below, children} = Map.pop(children, info.pid, [])
    [{info, depth} | Enum.flat_map(below, &branch(&1, depth + 1, children))]
  end

  defp with_threads({info, depth}) do
    case Capabilities.threads(info.pid) do
      {:ok, threads} -> {info, depth, differing(threads, info.state)}
      {:error, _it_has_ended} -> {info, depth, []}
    end
  end

  defp show(found, true) do
    IO.puts(
      found
      |> Enum.map(fn {info, _depth, threads} -> object(named(info), info.state, threads) end)
      |> Json.encode()
    )
  end

  defp show(found, _table) do
    [title | lines] =
      Table.align([["PID", "UID", "NAME", "CAPABILITIES"] | Enum.flat_map(found, &rows/1)])

    IO.write(Terminal.format([:bright, title, :reset, ?\n | Enum.map(lines, &[&1, ?\n])]))
  end

  defp rows({info, depth, threads}) do
    name = String.duplicate("  ", depth) <> Terminal.printable(info.name)

    [
      [info.pid, info.uid, name, text(info.state)]
      | for(
          {tid, state} <- threads,
          do: [tid, "", String.duplicate("  ", depth) <> "  (thread)", text(state)]
        )
    ]
  end

  # The triple as getpcaps(8) prints it, and in brackets the IAB tuple unless it is empty.
  defp text(state) do
    case iab(state) do
      "" -> triple(state)
      iab -> "#{triple(state)} [#{iab}]"
    end
  end

  defp triple(state), do: state |> Set.new() |> Set.to_text()
  defp iab(state), do: state |> IAB.from_state() |> IAB.to_text()

  defp named(info), do: [pid: info.pid, ppid: info.ppid, uid: info.uid, name: info.name]

  defp object(who, leader, threads) do
    who ++
      told(leader) ++ [threads: for({tid, state} <- threads, do: [{:tid, tid} | told(state)])]
  end

  defp told(state) do
    [text: triple(state), iab: iab(state), sets: Json.sets(state)]
  end
end
