defmodule Linx.Install.DependencyTest do
  # A project of its own that depends on a copy of this one: compiled, run, released, moved.
  use ExUnit.Case, async: false

  @moduletag :install
  @moduletag :root
  @moduletag timeout: 900_000

  @source File.cwd!()
  @shipped ~w(lib native mix.exs Cargo.toml Cargo.lock .formatter.exs)

  setup_all do
    base = Path.join(System.tmp_dir!(), "linx-install-#{System.pid()}")
    File.mkdir_p!(Path.join(base, "linx"))

    for name <- @shipped,
        do: File.cp_r!(Path.join(@source, name), Path.join([base, "linx", name]))

    write_project(Path.join(base, "fresh"))
    on_exit(fn -> File.rm_rf!(base) end)
    {:ok, base: base}
  end

  test "a fresh project compiles it, launches a confined workload, and ships it in a release", %{
    base: base
  } do
    project = Path.join(base, "fresh")
    assert mix(project, ~w(compile)) =~ "Generated fresh app"
    assert_confined(mix(project, ~w(run -e Fresh.main)))

    mix(project, ~w(release --quiet))
    elsewhere = Path.join(base, "elsewhere")
    File.rename!(Path.join(project, "_build/prod/rel/fresh"), elsewhere)
    for gone <- ["fresh", "linx"], do: File.rm_rf!(Path.join(base, gone))

    {out, status} =
      System.cmd(Path.join(elsewhere, "bin/fresh"), ["eval", "Fresh.main"],
        cd: base,
        env: environment(),
        stderr_to_stdout: true
      )

    assert status == 0, out
    assert_confined(out)
  end

  defp assert_confined(out) do
    for set <- ~w(Prm Eff Bnd), do: assert(out =~ ~r/^Cap#{set}:\t0000000000000400$/m, out)
    for set <- ~w(Inh Amb), do: assert(out =~ ~r/^Cap#{set}:\t0000000000000000$/m, out)
    assert out =~ "{:exited, 0}"
  end

  defp mix(project, args) do
    {out, status} =
      System.cmd("mix", args, cd: project, env: environment(), stderr_to_stdout: true)

    assert status == 0, out
    out
  end

  # As on a machine of somebody who has no Hex and no network.
  defp environment do
    [
      {"MIX_ENV", "prod"},
      {"MIX_BUILD_PATH", nil},
      {"MIX_HOME", Path.join(System.tmp_dir!(), "no-mix-home")},
      {"HEX_OFFLINE", "1"},
      {"CARGO_NET_OFFLINE", "true"},
      {"CARGO_TARGET_DIR", System.get_env("CARGO_TARGET_DIR") || Path.join(@source, "target")}
    ]
  end

  defp write_project(directory) do
    File.mkdir_p!(Path.join(directory, "lib"))

    File.write!(Path.join(directory, "mix.exs"), """
    defmodule Fresh.MixProject do
      use Mix.Project
      def project, do: [app: :fresh, version: "1.0.0", deps: [{:linx, path: "../linx"}]]
      def application, do: [extra_applications: [:logger]]
    end
    """)

    File.write!(Path.join(directory, "lib/fresh.ex"), """
    defmodule Fresh do
      alias Linx.Capabilities

      def main do
        {:ok, _} = Application.ensure_all_started(:linx)
        {:ok, session} = Linx.Process.spawn(argv: ["cat", "/proc/self/status"], stdio: :pipe)
        receive do {:linx_process, :ready, _pid} -> :ok end
        keep = [:cap_net_bind_service]
        drop = MapSet.difference(Capabilities.Constants.all(), MapSet.new(keep))
        :ok = Capabilities.drop_bounding(session, drop)
        :ok = Capabilities.set_thread_sets(session, effective: keep, permitted: keep, inheritable: [])
        :ok = Linx.Process.proceed(session)
        {:ok, result} = Linx.Process.wait(session)
        IO.puts(output() <> inspect(result))
      end

      defp output do
        receive do
          {:linx_process, :stdout, bytes} -> bytes <> output()
        after
          0 -> ""
        end
      end
    end
    """)
  end
end
