defmodule Linx.Run.Checkpoint do
  @moduledoc false
  # A workload as the command line asks for it, parked before its execve and confined there.

  alias Linx.{Capabilities, Process}
  alias Linx.Run.{Options, Plan}

  @doc """
  Starts the workload and parks it, owned by the caller. Beside the session comes the state of this VM, which it began with.
  `options` are further ones of `Linx.Process.spawn/1`.

  The whole bounding set is cut at launch: this way capabilities go that have no name here yet.
  """
  @spec park(Options.t(), keyword()) ::
          {:ok, Capabilities.State.t(), Process.t()} | {:error, term()}
  def park(%Options{argv: argv, keep: keep}, options) do
    with {:ok, before} <- Capabilities.read(:self),
         :ok <- permitted(keep, before),
         {:ok, session} <- Process.spawn([argv: argv, caps: [bounding: keep]] ++ options),
         do: {:ok, before, session}
  end

  @doc """
  Takes the steps of the plan once the session is parked. Whatever the kernel refuses ends the
  session, and the event that says so is on its way.
  """
  @spec confine(Process.t(), Options.t()) :: :ok
  def confine(session, options), do: Enum.each(Plan.steps(options), &Plan.take(&1, session))

  # The kernel would refuse too, but could not say which capability it was about.
  defp permitted(keep, before) do
    case keep |> MapSet.difference(before.permitted) |> Enum.sort() do
      [] -> :ok
      [cap | _] -> {:error, {:not_permitted, cap}}
    end
  end
end
