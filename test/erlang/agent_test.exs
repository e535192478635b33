defmodule Linx.PlainErlangTest do
  use ExUnit.Case, async: true

  @tag :root
  test "an Erlang program without Elixir drives the agent" do
    agent = Application.app_dir(:linx, "priv/linx-agent")
    script = Path.join(__DIR__, "agent_test.escript")
    env = [{"ERL_LIBS", nil}, {"ERL_FLAGS", nil}]
    {out, status} = System.cmd("escript", [script, agent], env: env, stderr_to_stdout: true)

    assert {status, out |> String.split("\n", trim: true) |> List.last()} ==
             {0, "3 passed, 0 failed"},
           out
  end
end
