defmodule Bench.Agent do
  @moduledoc "The agent that Linx uses: another one, or another way to start children."

  @doc "Runs a function with an agent that starts children in that way."
  @spec with_launch(:clone | :fork, (() -> result)) :: result when result: term()
  def with_launch(mode, fun) do
    restart(["--launch", Atom.to_string(mode)])
    result = fun.()
    restart([])
    result
  end

  @doc "A fresh agent, with these command-line options."
  @spec restart([String.t()]) :: :ok
  def restart(args \\ []) do
    Application.put_env(:linx, :agent_args, args)
    :ok = Supervisor.terminate_child(Linx.Supervisor, Linx.AgentPort)
    {:ok, _pid} = Supervisor.restart_child(Linx.Supervisor, Linx.AgentPort)
    :ok
  end
end
