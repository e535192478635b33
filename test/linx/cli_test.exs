defmodule Linx.CLITest do
  use ExUnit.Case, async: true

  doctest Linx.CLI.Arguments
  doctest Linx.CLI.CapNames
  doctest Linx.CLI.Decode
  doctest Linx.CLI.Descriptions
  doctest Linx.CLI.Failure
  doctest Linx.CLI.Json
  doctest Linx.CLI.Table
  doctest Linx.CLI.Terminal
end
