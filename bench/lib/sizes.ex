defmodule Bench.Sizes do
  @moduledoc "The sizes of the release binaries."

  alias Bench.Row

  @doc "The rows of this section."
  @spec run(Bench.Settings.t()) :: [Row.t()]
  def run(_settings) do
    for name <- ["linx-agent", "linx_nif.so"] do
      size = :linx |> Application.app_dir("priv/" <> name) |> File.stat!() |> Map.fetch!(:size)
      Row.new({"sizes", "release binaries, stripped"}, name, "KiB", [size / 1024])
    end
  end
end
