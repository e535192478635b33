defmodule Bench.Memory do
  @moduledoc "Memory of the machine, of the VM and of the agent, in KiB."

  @type t :: %{String.t() => integer()}

  # Name in /proc/meminfo => what it is called here.
  @kernel %{
    "Slab" => "of that, slab",
    "KernelStack" => "of that, kernel stacks",
    "PageTables" => "of that, page tables"
  }

  @doc "What is used now: `all told` counts everything that is not available any more."
  @spec used() :: t()
  def used do
    for process <- Process.list(), do: :erlang.garbage_collect(process)
    meminfo = fields("/proc/meminfo")

    @kernel
    |> Map.new(fn {field, name} -> {name, meminfo[field]} end)
    |> Map.put("all told", meminfo["MemTotal"] - meminfo["MemAvailable"])
    |> Map.put("in the VM", div(:erlang.memory(:total), 1024))
    |> Map.put("in the agent", agent())
  end

  @doc "What has come since, for each of `count` things."
  @spec per_item(t(), t(), pos_integer()) :: [{String.t(), float()}]
  def per_item(now, before, count) do
    for {name, used} <- Enum.sort(now), do: {name, (used - before[name]) / count}
  end

  defp agent do
    case Linx.AgentPort.status().os_pid do
      nil -> 0
      pid -> fields("/proc/#{pid}/status")["VmRSS"]
    end
  end

  defp fields(path) do
    for line <- path |> File.read!() |> String.split("\n"),
        [_, name, kib] <- [Regex.run(~r/^(\w+):\s+(\d+) kB$/, line)],
        into: %{},
        do: {name, String.to_integer(kib)}
  end
end
