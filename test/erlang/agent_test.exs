defmodule Linx.PlainErlangTest do
  use ExUnit.Case, async: true

  @script Path.join(__DIR__, "agent_test.escript")

  test "it is the program that the protocol's page shows" do
    page = File.read!(Path.join(__DIR__, "../../docs/PROTOCOL.md"))
    assert String.contains?(page, String.trim(File.read!(@script)))
  end

  @tag :root
  test "an Erlang program without Elixir drives the agent" do
    agent = Application.app_dir(:linx, "priv/linx-agent")
    env = [{"ERL_LIBS", nil}, {"ERL_FLAGS", nil}]
    {out, status} = System.cmd("escript", [@script, agent], env: env, stderr_to_stdout: true)

    assert {status, out |> String.split("\n", trim: true) |> List.last()} ==
             {0, "3 passed, 0 failed"},
           out
  end

  test "the program is the one that the protocol's page shows" do
    page = File.read!("docs/PROTOCOL.md")
    program = __DIR__ |> Path.join("agent_test.escript") |> File.read!() |> String.trim()
    assert String.contains?(page, program)
  end
end
