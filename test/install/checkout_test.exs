defmodule Linx.Install.CheckoutTest do
  use ExUnit.Case, async: true

  @moduletag :install
  @moduletag :tmp_dir
  @moduletag timeout: 300_000

  test "iex -S mix works with no Hex installed", %{tmp_dir: home} do
    input = Path.join(home, "input")
    File.write!(input, "{:ok, s} = Linx.Capabilities.read(:self)\nMapSet.size(s.bounding)\n")

    env = [{"MIX_ENV", "test"}, {"MIX_HOME", home}, {"HEX_OFFLINE", "1"}]
    args = ["-c", ~S(exec iex -S mix <"$1"), "sh", input]
    {out, status} = System.cmd("sh", args, env: env, stderr_to_stdout: true)

    assert status == 0, out
    refute out =~ "Could not find Hex"
    {:ok, state} = Linx.Capabilities.read(:self)
    assert out =~ "#Linx.Capabilities.State<", out
    assert out =~ ~r/iex\(\d+\)> #{MapSet.size(state.bounding)}\n/, out
  end
end
