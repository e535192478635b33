defmodule Linx.Run.Stdin do
  @moduledoc false
  # Standard input for the workload.
  #
  # The VM reads from descriptor 0 as soon as there is something, so a workload that shared it would
  # lose bytes to the VM. Hence a pipe, filled from the VM's own reader. Started with `-noinput` the VM does not
  # read, and the workload inherits the descriptor.

  @doc "What `stdin:` of the workload has to be."
  @spec source() :: :inherit | :pipe
  def source do
    case :init.get_argument(:noinput) do
      {:ok, _} -> :inherit
      :error -> :pipe
    end
  end

  @doc "Copies standard input to the session until either ends; a linked process does it."
  @spec relay(Linx.Process.t()) :: :ok
  def relay(session) do
    if source() == :pipe, do: spawn_link(fn -> copy(session) end)
    :ok
  end

  defp copy(session) do
    _ = :io.setopts(:standard_io, binary: true, encoding: :latin1)
    pump(session)
  end

  # An I/O request that is done with whatever has arrived: a line or a count would wait for more.
  defp pump(session) do
    case :io.request(:standard_io, {:get_until, :latin1, ~c"", __MODULE__, :take, []}) do
      {:bytes, bytes} -> with :ok <- Linx.Process.write(session, bytes), do: pump(session)
      _end_of_file_or_error -> Linx.Process.close_stdin(session)
    end
  end

  @doc false
  # Called by the I/O server, per the Erlang I/O protocol.
  def take(_continuation, :eof), do: {:done, :eof, []}
  def take(_continuation, bytes), do: {:done, {:bytes, bytes}, []}
end
