defmodule Linx.LauncherTest do
  use ExUnit.Case

  doctest Linx.Launcher
end
