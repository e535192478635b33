defmodule Bench.Ours do
  @moduledoc "Launches through Linx: start a program, know that it exited with status 0."

  alias Linx.Capabilities
  alias Linx.Capabilities.Constants

  @kept [:cap_net_bind_service]
  @thread_sets [effective: @kept, permitted: @kept, inheritable: []]

  @doc "The one capability that every confined launch leaves."
  @spec kept() :: [Capabilities.cap()]
  def kept, do: @kept

  @doc "The capabilities that every confined launch drops."
  @spec dropped() :: Capabilities.cap_set()
  def dropped, do: MapSet.difference(Constants.all(), MapSet.new(@kept))

  @doc "Everything in the options of `spawn/1`; `stdio` as there."
  @spec declared(Path.t(), term()) :: :ok
  def declared(program, stdio \\ :inherit) do
    {:ok, _session} =
      Linx.Process.spawn(
        argv: [program],
        stdio: stdio,
        caps: [bounding: @kept, thread_sets: @thread_sets],
        auto_proceed: true,
        linger: false
      )

    await_exit()
  end

  @doc "Waits for the checkpoint, calls three verbs, proceeds."
  @spec step_by_step(Path.t(), Capabilities.cap_set()) :: :ok
  def step_by_step(program, dropped) do
    {:ok, session} = Linx.Process.spawn(argv: [program], linger: false)

    receive do
      {:linx_process, :ready, _host_pid} -> :ok
    end

    :ok = Capabilities.drop_bounding(session, dropped)
    :ok = Capabilities.set_thread_sets(session, @thread_sets)
    :ok = Capabilities.set_ambient(session, [])
    :ok = Linx.Process.proceed(session)
    await_exit()
  end

  defp await_exit do
    receive do
      {:linx_process, :exited, 0} -> :ok
      {:linx_process, :running} -> await_exit()
      {:linx_process, :ready, _host_pid} -> await_exit()
    end
  end
end
