defmodule Linx.Application do
  @moduledoc false

  use Application

  @impl true
  def start(_type, _args) do
    children = [Linx.AgentPort]
    Supervisor.start_link(children, strategy: :one_for_one, name: Linx.Supervisor)
  end
end
