defmodule Bench.Targets do
  @moduledoc "What Linx is meant to reach, beside what it reached."

  alias Bench.Row

  @tiny {"launch", "tiny static program"}
  @at_once {"launch", "tiny static program, 64 at once"}
  @parked {"scale", "spawn until ready, by sessions parked"}
  @parked_memory {"scale", "memory a parked session"}
  @all {"scale", "all of them"}
  @root {"reading", "a process with all capabilities"}
  @start {"start", "a VM, from its start to its end"}
  @no_op {"build", "mix compile with nothing to do"}

  # What is looked at, whether it is to be at most or at least so much, and how it is had from the rows.
  @targets [
    {"declared launch ÷ System.cmd of the bare program", :max, 0.6,
     {:ratio, {@tiny, "Linx, declared"}, {@tiny, "System.cmd"}}},
    {"declared launch ÷ Go's cap.Launcher", :max, 0.9,
     {:ratio, {@tiny, "Linx, declared"}, {@tiny, "Go cap.Launcher"}}},
    {"declared launch ÷ C fork, park, drop, exec", :max, 1.2,
     {:ratio, {@tiny, "Linx, declared"}, {@tiny, "C fork, park, drop, exec"}}},
    {"launch step by step ÷ System.cmd of the bare program", :max, 0.9,
     {:ratio, {@tiny, "Linx, step by step"}, {@tiny, "System.cmd"}}},
    {"64 declared launches at once, a second ÷ System.cmd", :min, 2.0,
     {:ratio, {@at_once, "Linx, declared"}, {@at_once, "System.cmd"}}},
    {"spawn until ready with 10,000 parked ÷ with one", :max, 1.2,
     {:ratio, {@parked, "10000"}, {@parked, "1"}}},
    {"a parked session, all told, KiB", :max, 60, {:value, {@parked_memory, "all told"}}},
    {"of that in the VM, KiB", :max, 8, {:value, {@parked_memory, "in the VM"}}},
    {"parking 10,000, s", :max, 2, {:value, {@all, "parking 10000"}}},
    {"their release, exit and reaping, s", :max, 5,
     {:value, {@all, "releasing, exit and reaping of 10000"}}},
    {"read/1 ÷ C open, read, close, parse", :max, 1.3,
     {:ratio, {@root, "read/1"}, {@root, "C open, read, close, parse"}}},
    {"File.read and a parse in Elixir ÷ read/1", :min, 3,
     {:ratio, {@root, "File.read and a parse in Elixir"}, {@root, "read/1"}}},
    {"building the five sets ÷ the system calls from C", :max, 1.0,
     {:ratio, {@root, "the five sets alone"}, {@root, "C open, read, close, parse"}}},
    {"list/0 of 2,000 processes ÷ a C loop", :max, 1.3,
     {:ratio, {{"reading", "all processes, 2000 and more"}, "list/0"},
      {{"reading", "all processes, 2000 and more"}, "C, every process in /proc"}}},
    {"output through a pipe ÷ a bare Port", :min, 0.9,
     {:ratio, {{"streaming", "workload to owner, pipe"}, "Linx"},
      {{"streaming", "workload to owner, pipe"}, "bare Port"}}},
    {"input through a pipe ÷ a bare Port", :min, 0.9,
     {:ratio, {{"streaming", "owner to workload, pipe"}, "Linx"},
      {{"streaming", "owner to workload, pipe"}, "bare Port"}}},
    {"output through a pty ÷ C at the master", :min, 0.9,
     {:ratio, {{"streaming", "workload to owner, pty"}, "Linx"},
      {{"streaming", "workload to owner, pty"}, "C"}}},
    {"input through a pty ÷ C at the master", :min, 0.9,
     {:ratio, {{"streaming", "owner to workload, pty"}, "Linx"},
      {{"streaming", "owner to workload, pty"}, "C"}}},
    {"a line and its echo through a pty ÷ a {packet, 4} port", :max, 1.5,
     {:ratio, {{"streaming", "a line and its echo"}, "Linx, pty"},
      {{"streaming", "a line and its echo"}, "{packet, 4} port"}}},
    {"loading and first launch over a bare VM, ms", :max, 100,
     {:difference, {@start, "with Linx and a first launch"}, {@start, "erl alone"}}},
    {"mix compile from scratch, s", :max, 90,
     {:value, {{"build", "mix compile from scratch"}, "Linx"}}},
    {"mix compile with nothing to do, over Mix alone, ms", :max, 1000,
     {:difference, {@no_op, "Linx"}, {@no_op, "Mix alone"}}}
  ]

  @doc "A table with a line for each target that the rows tell of; none where they tell of none."
  @spec tables([Row.t()]) :: [Bench.Report.table()]
  def tables(rows) do
    lines =
      for {text, bound, limit, how} <- @targets, measured = measured(how, rows) do
        [
          text,
          required(bound, limit),
          Bench.Report.number(measured),
          verdict(bound, limit, measured)
        ]
      end

    if lines == [], do: [], else: [{"targets", ["target", "required", "measured", ""], lines}]
  end

  defp measured({:value, row}, rows), do: median(row, rows)

  defp measured({how, first, second}, rows) do
    with one when one != nil <- median(first, rows),
         other when other != nil <- median(second, rows) do
      if how == :ratio, do: one / other, else: one - other
    end
  end

  defp median({key, name}, rows) do
    with %Row{median: median} <- Row.find(rows, key, name), do: median
  end

  defp required(:max, limit), do: "≤ #{limit}"
  defp required(:min, limit), do: "≥ #{limit}"

  defp verdict(:max, limit, measured), do: if(measured <= limit, do: "met", else: "missed")
  defp verdict(:min, limit, measured), do: if(measured >= limit, do: "met", else: "missed")
end
