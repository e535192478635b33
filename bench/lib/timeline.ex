defmodule Bench.Timeline do
  @moduledoc """
  Where the time of a declared launch goes, by what the kernel's scheduler tells of it through tracefs.

  It explains what `Bench.Launch` measures and is no part of a complete run: tracing costs some microseconds itself. Launches
  in which a step cannot be told apart (a processor that was not asleep is not woken) are left out.
  """

  alias Bench.{Ours, Peers, Row}

  @tracefs "/sys/kernel/tracing"
  @events ~w(sched_switch sched_waking sched_process_fork sched_process_exec sched_process_exit)
  @launches 400

  @steps [
    {"the VM writes a frame: until the agent runs", :sent, :agent},
    {"the agent prepares: until clone3", :agent, :cloned},
    {"until the child runs", :cloned, :child},
    {"the child sets itself up and drops: until its execve is done", :child, :execed},
    {"the program: until it exits", :execed, :exited},
    {"the agent hears, reaps, tells: until it wakes the VM", :exited, :told},
    {"until the VM runs", :told, :heard},
    {"the VM: three processes hear of it, and the next frame", :heard, :next},
    {"all of it", :sent, :next}
  ]

  @doc "The rows of this section; none where there is no tracefs."
  @spec run(Bench.Settings.t()) :: [Row.t()]
  def run(_settings) do
    if File.exists?(@tracefs <> "/tracing_on") do
      program = Peers.path("tiny")
      for _ <- 1..100, do: Ours.declared(program)
      launches = traced(program) |> parse() |> split() |> Enum.filter(&complete?/1)

      for {name, from, to} <- @steps,
          do: Row.new({"timeline", "a declared launch"}, name, "µs", spans(launches, from, to))
    else
      []
    end
  end

  defp spans(launches, from, to), do: for(launch <- launches, do: launch[to] - launch[from])

  @moments [:sent, :agent, :cloned, :child, :execed, :exited, :told, :heard, :next]

  defp complete?(launch) do
    moments = for moment <- @moments, do: launch[moment]
    nil not in moments and moments == Enum.sort(moments) and not launch[:blurred]
  end

  defp traced(program) do
    write("trace", "")
    switch("1")
    for _ <- 1..@launches, do: Ours.declared(program)
    switch("0")
    File.read!(@tracefs <> "/trace")
  end

  defp switch(on) do
    for event <- @events, do: write("events/sched/#{event}/enable", on)
    write("tracing_on", on)
  end

  defp write(file, text), do: File.write!(Path.join(@tracefs, file), text)

  # `{microseconds, who, what, fields}` of each line that can be read.
  defp parse(text) do
    line = ~r/^\s*(.+)-\d+\s+\[\d+\] \S+\s+(\d+)\.(\d{6}): (\w+): (.*)$/

    for row <- String.split(text, "\n"),
        [_, who, seconds, micros, what, fields] <- [Regex.run(line, row)] do
      {String.to_integer(seconds) * 1_000_000 + String.to_integer(micros), who, what, fields}
    end
  end

  # One map of moments a launch.
  defp split(events) do
    {launches, last} = Enum.reduce(events, {[], %{}}, &step/2)
    Enum.reverse([last | launches])
  end

  defp step({at, who, "sched_waking", "comm=linx-agent " <> _}, {launches, launch}) do
    cond do
      not scheduler?(who) -> {launches, launch}
      launch[:sent] && launch[:exited] -> {[Map.put(launch, :next, at) | launches], %{sent: at}}
      launch[:sent] -> {launches, launch}
      true -> {launches, %{sent: at}}
    end
  end

  defp step({at, who, what, fields}, {launches, launch}),
    do: {launches, note(launch, at, what, who, fields)}

  defp note(%{sent: _} = launch, at, "sched_switch", _who, fields) do
    [_, next] = String.split(fields, "next_comm=", parts: 2)

    cond do
      launch[:told] && not is_map_key(launch, :heard) && scheduler?(next) ->
        Map.put(launch, :heard, at)

      String.contains?(next, " next_pid=#{launch[:pid]} ") ->
        Map.put_new(launch, :child, at)

      String.starts_with?(next, "linx-agent ") ->
        Map.put_new(launch, :agent, at)

      true ->
        launch
    end
  end

  defp note(%{sent: _} = launch, at, "sched_process_fork", "linx-agent", fields) do
    [_, pid] = Regex.run(~r/child_pid=(\d+)/, fields)

    # Two children after one wake-up: the agent was awake when the second frame came, so nothing tells when that was.
    Map.merge(launch, %{cloned: at, pid: pid, blurred: is_map_key(launch, :cloned)})
  end

  defp note(%{pid: _} = launch, at, "sched_process_exec", _who, _fields),
    do: Map.put(launch, :execed, at)

  defp note(%{pid: _} = launch, at, "sched_process_exit", _who, _fields),
    do: Map.put(launch, :exited, at)

  # The last time counts: the agent may have woken it for what came before the exit.
  defp note(%{exited: _} = launch, at, "sched_waking", "linx-agent", fields) do
    if fields =~ ~r/^comm=\d+_scheduler/,
      do: launch |> Map.put(:told, at) |> Map.delete(:heard),
      else: launch
  end

  defp note(launch, _at, _what, _who, _fields), do: launch

  defp scheduler?(comm), do: comm =~ ~r/^\d+_scheduler/
end
