defmodule Linx.VerbsTest do
  use ExUnit.Case

  doctest Linx.Capabilities.Securebits
end
