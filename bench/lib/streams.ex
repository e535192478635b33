defmodule Bench.Streams do
  @moduledoc """
  Traffic with the program `traffic`, through a bare port and through Linx. All times in nanoseconds.

  Output is measured from the first byte that arrives to the last, input from the first byte
  sent to the workload's word that it has all.
  """

  alias Bench.{Clock, Peers}

  @chunk 65_536
  @line String.duplicate("x", 31) <> "\n"

  @doc "So many bytes out of a bare port."
  @spec port_out(pos_integer()) :: pos_integer()
  def port_out(size) do
    port = open_port(["source", to_string(size)], [:exit_status])

    took =
      timed_rest(size, fn ->
        receive do
          {^port, {:data, bytes}} -> byte_size(bytes)
        end
      end)

    receive do
      {^port, {:exit_status, 0}} -> took
    end
  end

  @doc "So many bytes into a bare port."
  @spec port_in(pos_integer()) :: pos_integer()
  def port_in(size) do
    port = open_port(["sink", to_string(size)], [:exit_status])
    expect_data(port, "r")

    took =
      Clock.elapsed(fn ->
        each_chunk(size, &Port.command(port, &1))
        expect_data(port, "d")
      end)

    receive do
      {^port, {:exit_status, 0}} -> took
    end
  end

  @doc "Lines there and back through a port with length-prefixed frames, one by one."
  @spec port_echo(pos_integer()) :: [pos_integer()]
  def port_echo(count) do
    port = open_port(["packet-echo"], packet: 4)

    times =
      for _ <- 1..count do
        Clock.elapsed(fn ->
          Port.command(port, @line)
          expect_data(port, @line)
        end)
      end

    Port.close(port)
    times
  end

  @doc "So many bytes out of a workload of Linx."
  @spec linx_out(:pipe | :pty, pos_integer()) :: pos_integer()
  def linx_out(kind, size) do
    spawn_traffic(["source", to_string(size)], kind)
    took = timed_rest(size, fn -> byte_size(output()) end)

    receive do
      {:linx_process, :exited, 0} -> took
    end
  end

  @doc "So many bytes into a workload of Linx."
  @spec linx_in(:pipe | :pty, pos_integer()) :: pos_integer()
  def linx_in(kind, size) do
    session = spawn_traffic(["sink", to_string(size)], kind)
    "r" = output()

    took =
      Clock.elapsed(fn ->
        each_chunk(size, &(:ok = write(kind, session, &1)))
        "d" = output()
      end)

    receive do
      {:linx_process, :exited, 0} -> took
    end
  end

  @doc "Lines there and back, one by one."
  @spec linx_echo(:pipe | :pty, pos_integer()) :: [pos_integer()]
  def linx_echo(kind, count) do
    session = spawn_traffic(["echo"], kind)
    "r" = output()

    times =
      for _ <- 1..count do
        Clock.elapsed(fn ->
          :ok = write(kind, session, @line)
          @line = gather(@line, "")
        end)
      end

    :ok = Linx.Process.signal(session, 9)

    receive do
      {:linx_process, :signaled, 9} -> times
    end
  end

  defp spawn_traffic(args, kind) do
    {:ok, session} =
      Linx.Process.spawn(
        argv: [Peers.path("traffic") | args],
        stdio: if(kind == :pty, do: :pty, else: [stdin: :pipe, stdout: :pipe]),
        auto_proceed: true
      )

    receive do
      {:linx_process, :running} -> session
    end
  end

  defp output do
    receive do
      {:linx_process, :stdout, bytes} -> bytes
      {:linx_process, :pty_out, bytes} -> bytes
    end
  end

  defp gather(wanted, got) when byte_size(got) >= byte_size(wanted), do: got
  defp gather(wanted, got), do: gather(wanted, got <> output())

  defp write(:pipe, session, bytes), do: Linx.Process.write(session, bytes)
  defp write(:pty, session, bytes), do: Linx.Process.pty_write(session, bytes)

  defp timed_rest(size, next) do
    left = size - next.()
    Clock.elapsed(fn -> take(left, next) end)
  end

  defp take(0, _next), do: :ok
  defp take(left, next), do: take(left - next.(), next)

  defp each_chunk(size, send_chunk) do
    chunk = :binary.copy("x", @chunk)
    for _ <- 1..div(size, @chunk), do: send_chunk.(chunk)
  end

  defp open_port(args, options) do
    Port.open({:spawn_executable, Peers.path("traffic")}, [:binary, {:args, args} | options])
  end

  defp expect_data(port, wanted) do
    receive do
      {^port, {:data, ^wanted}} -> :ok
    end
  end
end
