defmodule Mix.Tasks.Compile.LinxNative do
  @moduledoc """
  Builds the NIF and the agent with cargo and puts them under the application's `priv/`.

  They land in the build directory (`_build/ENV/lib/linx/priv`), where `mix release` and a project
  that depends on Linx find them. Cargo runs only when something under `native/` is newer than what it
  made last.

  `CARGO_TARGET_DIR` is respected; the default is `target/` beside `mix.exs`.
  """

  use Mix.Task.Compiler

  @recursive true
  @root Path.dirname(__DIR__)
  @packages ["-p", "linx-agent", "-p", "linx-nif"]
  # What cargo calls it => what it is called under priv/.
  @artifacts [{"liblinx_nif.so", "linx_nif.so"}, {"linx-agent", "linx-agent"}]

  @impl true
  def run(args) do
    if "--force" in args or Mix.Utils.stale?(sources(), installed()) do
      build()
    else
      {:noop, []}
    end
  end

  @impl true
  def clean, do: Enum.each(installed(), &File.rm/1)

  # Directories too: removing or renaming a file touches nothing else.
  defp sources do
    Path.wildcard(Path.join(@root, "native/**")) ++
      Enum.map(["Cargo.toml", "Cargo.lock"], &Path.join(@root, &1))
  end

  defp installed, do: for({_, name} <- @artifacts, do: Path.join(priv(), name))

  defp priv, do: Path.join(Mix.Project.app_path(), "priv")

  defp build do
    cargo = System.find_executable("cargo") || Mix.raise(missing())
    check_version(cargo)
    # A source that changes while cargo runs has to look newer than what cargo makes of it.
    as_of = System.os_time(:second) - 1
    target = Path.expand(System.get_env("CARGO_TARGET_DIR") || "target", @root)
    args = ["build", "--release", "--target-dir", target | @packages]

    case System.cmd(cargo, args, cd: @root) do
      {_, 0} -> install(Path.join(target, "release"), as_of)
      {_, status} -> Mix.raise("cargo could not build Linx's native code (exit status #{status})")
    end
  end

  defp install(from, as_of) do
    File.mkdir_p!(priv())

    for {built, name} <- @artifacts do
      target = Path.join(priv(), name)
      replace(Path.join(from, built), target)
      File.touch!(target, as_of)
    end

    {:ok, []}
  end

  # By rename: a running VM keeps the file it has mapped.
  defp replace(source, target) do
    if same?(source, target) do
      :ok
    else
      temporary = "#{target}.#{System.pid()}"
      File.cp!(source, temporary)
      File.rename!(temporary, target)
    end
  end

  defp same?(source, target) do
    case {File.read(source), File.read(target)} do
      {{:ok, content}, {:ok, content}} -> true
      {{:ok, _}, _} -> false
      {{:error, _}, _} -> Mix.raise("cargo succeeded, but there is no #{source}")
    end
  end

  defp check_version(cargo) do
    needed = needed_version()

    with {output, 0} <- System.cmd(cargo, ["--version"], cd: @root),
         [_, found] <- Regex.run(~r/^cargo (\d+\.\d+\.\d+)/, output) do
      if Version.compare(found, needed) == :lt, do: Mix.raise(too_old(found, needed))
    else
      _ -> Mix.raise("#{cargo} does not run; Linx needs cargo #{needed} or newer to be built")
    end
  end

  defp needed_version do
    manifest = File.read!(Path.join(@root, "Cargo.toml"))
    [_, version] = Regex.run(~r/^rust-version = "(\d+\.\d+)"/m, manifest)
    version <> ".0"
  end

  defp missing do
    "Linx needs cargo (Rust #{needed_version()} or newer) to be built, and there is none in the PATH; " <>
      "install it with your package manager or from https://rustup.rs"
  end

  defp too_old(found, needed) do
    "Linx needs cargo #{needed} or newer to be built, and the one in the PATH is #{found}; " <>
      "install a newer Rust from https://rustup.rs"
  end
end
