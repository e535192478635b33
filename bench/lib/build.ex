defmodule Bench.Build do
  @moduledoc "Building the library: from scratch, and when there is nothing to do."

  alias Bench.{Clock, Peers, Rounds, Row}

  @section "build"

  @doc "The rows of this section."
  @spec run(Bench.Settings.t()) :: [Row.t()]
  def run(settings) do
    scratch = Peers.path("scratch")
    empty = empty_project(Peers.path("empty"))
    File.rm_rf!(scratch)
    library = fn -> [compile(File.cwd!(), scratch)] end
    from_scratch = library.()
    nothing = fn -> [compile(empty, Path.join(empty, "_build"))] end
    nothing.()
    no_op = Rounds.run([{"Mix alone", nothing}, {"Linx", library}], settings.rounds)
    File.rm_rf!(scratch)

    [
      Row.new(
        {@section, "mix compile from scratch"},
        "Linx",
        "s",
        Enum.map(from_scratch, &(&1 / 1.0e9))
      )
      | for {name, samples} <- no_op do
          group = {@section, "mix compile with nothing to do"}
          Row.new(group, name, "ms", Enum.map(samples, &(&1 / 1.0e6)))
        end
    ]
  end

  defp compile(project, build) do
    env = [
      {"MIX_ENV", "prod"},
      {"MIX_BUILD_PATH", Path.join(build, "mix")},
      {"CARGO_TARGET_DIR", Path.join(build, "cargo")}
    ]

    Clock.elapsed(fn ->
      {_output, 0} = System.cmd("mix", ["compile"], cd: project, env: env, stderr_to_stdout: true)
    end)
  end

  # As many modules as Mix needs to have something to look at.
  defp empty_project(dir) do
    File.mkdir_p!(Path.join(dir, "lib"))
    File.write!(Path.join(dir, "lib/empty.ex"), "defmodule Empty do\nend\n")

    File.write!(Path.join(dir, "mix.exs"), """
    defmodule Empty.MixProject do
      use Mix.Project

      def project, do: [app: :empty, version: "0.1.0", deps: []]
    end
    """)

    dir
  end
end
