defmodule Bench.Start do
  @moduledoc "From the start of a VM to its end: alone, with Elixir, and with Linx and a first launch."

  alias Bench.{Peers, Rounds, Row}

  @section "start"
  @group "a VM, from its start to its end"

  @doc "The rows of this section."
  @spec run(Bench.Settings.t()) :: [Row.t()]
  def run(settings) do
    tiny = Peers.path("tiny")

    subjects = [
      {"erl alone", ""},
      {"with Elixir and Logger", "{ok,_}=application:ensure_all_started(logger),"},
      {"with Linx and a first launch",
       "{ok,_}=application:ensure_all_started(linx)," <>
         "{ok,S}='Elixir.Linx.Process':spawn([{argv,[<<\"#{tiny}\">>]},{auto_proceed,true}])," <>
         "{ok,{exited,0}}='Elixir.Linx.Process':wait(S),"}
    ]

    measured =
      Rounds.run(
        for({name, code} <- subjects, do: {name, fn -> start(code, settings.starts) end}),
        settings.rounds
      )

    for {name, samples} <- measured,
        do: Row.new({@section, @group}, name, "ms", Enum.map(samples, &(&1 / 1.0e6)))
  end

  defp start(code, count) do
    erl = System.find_executable("erl")
    paths = for app <- [:elixir, :logger, :linx], do: ["-pa", Application.app_dir(app, "ebin")]
    args = List.flatten(["-noinput", paths, "-eval", code <> "halt()."])
    Peers.measure("launch", ["posix_spawn", count, 1, erl | args])
  end
end
