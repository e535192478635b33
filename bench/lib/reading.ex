defmodule Bench.Reading do
  @moduledoc "Reading the capability sets of a process, and those of all processes."

  alias Bench.{Clock, Ours, Peers, Rounds, Row}
  alias Linx.Capabilities
  alias Linx.Capabilities.State

  @section "reading"
  # Of what takes less than a clock tells.
  @repeat 100

  @doc "The rows of this section."
  @spec run(Bench.Settings.t()) :: [Row.t()]
  def run(settings) do
    one =
      for {group, caps} <- [
            {"a process with all capabilities", []},
            {"a confined process", [bounding: Ours.kept()]}
          ],
          row <- Clock.apart(fn -> of_one(group, caps, settings) end),
          do: row

    one ++ list(settings)
  end

  defp of_one(group, caps, settings) do
    session = start_idle(caps)
    {:ok, pid} = Linx.Process.host_pid(session)
    rows = pid |> subjects() |> Rounds.run_with(settings) |> rows(group, "µs", 1_000)
    kill(session)
    rows
  end

  defp subjects(pid) do
    path = "/proc/#{pid}/status"
    {:ok, masks} = Linx.Native.read_status(path)

    [
      {"C open, read, close, parse",
       fn settings -> Peers.measure("reading", ["status", settings.reads, pid]) end},
      {"read/1", &times(&1.reads, fn -> {:ok, %State{}} = Capabilities.read(pid) end)},
      {"read/1 without its sets",
       &times(&1.reads, fn -> {:ok, _masks} = Linx.Native.read_status(path) end)},
      {"the five sets alone", &sets(&1.reads, masks)},
      {"File.read", &times(&1.reads, fn -> {:ok, _text} = File.read(path) end)},
      {"File.read and a parse in Elixir", &times(&1.reads, fn -> %{} = in_elixir(path) end)}
    ]
  end

  defp times(count, fun), do: for(_ <- 1..count, do: Clock.elapsed(fun))

  defp sets(count, masks) do
    for _ <- 1..div(count, 10) do
      Clock.elapsed(fn -> for(_ <- 1..@repeat, do: State.from_masks(masks)) end) / @repeat
    end
  end

  defp in_elixir(path) do
    text = File.read!(path)

    for [_, name, hex] <- Regex.scan(~r/^(Cap\w+):\s+([0-9a-f]+)$/m, text), into: %{} do
      mask = String.to_integer(hex, 16)

      {name,
       for(
         bit <- 0..63,
         Bitwise.band(mask, Bitwise.bsl(1, bit)) != 0,
         into: MapSet.new(),
         do: bit
       )}
    end
  end

  # All processes, with thousands of idle ones beside the machine's own.
  defp list(settings) do
    if Code.ensure_loaded?(Capabilities) and function_exported?(Capabilities, :list, 0) do
      Clock.apart(fn -> list_all(settings) end)
    else
      []
    end
  end

  defp list_all(settings) do
    sessions = for _ <- 1..settings.listed, do: start_idle([])
    count = settings.starts

    rows =
      [
        {"C, every process in /proc",
         fn _settings -> Peers.measure("reading", ["list", count]) end},
        {"list/0", fn _settings -> times(count, fn -> apply(Capabilities, :list, []) end) end}
      ]
      |> Rounds.run_with(settings)
      |> rows("all processes, #{settings.listed} and more", "ms", 1_000_000)

    Enum.each(sessions, &kill/1)
    rows
  end

  defp rows(measured, group, unit, divisor) do
    for {name, samples} <- measured,
        do: Row.new({@section, group}, name, unit, Enum.map(samples, &(&1 / divisor)))
  end

  defp start_idle(caps) do
    {:ok, session} =
      Linx.Process.spawn(
        argv: [Peers.path("idle")],
        caps: caps,
        auto_proceed: true
      )

    receive do
      {:linx_process, :running} -> session
    end
  end

  defp kill(session) do
    :ok = Linx.Process.signal(session, 9)

    receive do
      {:linx_process, :signaled, 9} -> :ok
    end
  end
end
