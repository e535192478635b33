Code.require_file("native/mix_compiler.exs", __DIR__)

defmodule Linx.MixProject do
  use Mix.Project

  def project do
    [
      app: :linx,
      version: "0.1.0",
      elixir: "~> 1.14",
      description: "Linux capabilities and confined processes for the BEAM",
      compilers: [:linx_native | Mix.compilers()],
      elixirc_paths: elixirc_paths(Mix.env()),
      start_permanent: Mix.env() == :prod,
      package: package(),
      deps: []
    ]
  end

  def application do
    [mod: {Linx.Application, []}, extra_applications: [:logger]]
  end

  defp elixirc_paths(:test), do: ["lib", "test/support"]
  defp elixirc_paths(_env), do: ["lib"]

  defp package do
    [
      licenses: ["Apache-2.0"],
      links: %{},
      files: ~w(lib native docs Cargo.toml Cargo.lock mix.exs .formatter.exs
                README.md CHANGELOG.md SECURITY.md LICENSE)
    ]
  end
end
