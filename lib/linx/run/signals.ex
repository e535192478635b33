defmodule Linx.Run.Signals do
  @moduledoc false
  # Catches the signals that the VM would otherwise act upon itself and hands them on as
  # `{:caught_signal, number}`.
  #
  # `System.trap_signal/2` would not do: the VM's own handler still runs after it, and stops the VM
  # on SIGTERM.

  @behaviour :gen_event

  # The generic numbers of signal(7); SIGINT is the VM's break handler's and cannot be had.
  @numbers %{sighup: 1, sigquit: 3, sigusr1: 10, sigusr2: 12, sigterm: 15}

  @doc "From now on `pid` gets the signals."
  @spec catch_for(pid()) :: :ok
  def catch_for(pid) do
    :ok = swap({:erl_signal_handler, []}, {__MODULE__, pid})
    each_signal(:handle)
  end

  @doc "Gives the signals back to the VM."
  @spec release() :: :ok
  def release do
    each_signal(:default)
    # What the VM handles from its start on.
    Enum.each([:sigquit, :sigterm, :sigusr1], &:os.set_signal(&1, :handle))
    swap({__MODULE__, []}, {:erl_signal_handler, []})
  end

  defp each_signal(disposition),
    do: Enum.each(Map.keys(@numbers), &:os.set_signal(&1, disposition))

  defp swap(old, new), do: :gen_event.swap_handler(:erl_signal_server, old, new)

  @impl true
  def init({pid, _what_the_old_handler_left}) when is_pid(pid), do: {:ok, pid}

  @impl true
  def handle_event(signal, pid) do
    with {:ok, number} <- Map.fetch(@numbers, signal), do: send(pid, {:caught_signal, number})
    {:ok, pid}
  end

  @impl true
  def handle_call(_request, pid), do: {:ok, {:error, :unknown_call}, pid}
end
