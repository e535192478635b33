defmodule Linx.AgentPort.Heritage do
  @moduledoc false
  # Environment and working directory: what a workload has from the VM unless it is told otherwise. The shared agent has the
  # VM's too, as they were when it was started; what has not changed since need not be sent with every launch.

  @env {__MODULE__, :env}

  @doc "Notes the environment that the shared agent is about to be started with."
  @spec note_env() :: :ok
  def note_env, do: :persistent_term.put(@env, :os.env())

  @doc "The VM's environment as `K=V`, or `nil` if the shared agent has the same."
  @spec env(:shared | :dedicated) :: [binary()] | nil
  def env(agent) do
    # Exactly equal is what is asked most cheaply of long lists.
    unless agent == :shared and :os.env() === :persistent_term.get(@env, nil) do
      # A name that is no text here, or that no `K=V` can carry, is not handed on.
      for {name, value} <- System.get_env(), name != "", not String.contains?(name, "=") do
        name <> "=" <> value
      end
    end
  end

  @doc "The VM's working directory; `nil` if it has been removed."
  @spec cwd() :: binary() | nil
  def cwd, do: Linx.Native.cwd()
end
