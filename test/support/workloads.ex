defmodule Linx.TestWorkloads do
  @moduledoc false
  # Workloads as the tests of sessions use them: let go, listened to, looked for on the system.

  import ExUnit.Assertions

  @patience 10_000

  def fixture(name), do: Path.expand("../fixtures/#{name}", __DIR__)

  # A workload that has begun to run, and its pid.
  def launch(opts) do
    {:ok, session} = Linx.Process.spawn([auto_proceed: true] ++ opts)
    assert_receive {:linx_process, :ready, host_pid}, @patience
    assert_receive {:linx_process, :running}, @patience
    {session, host_pid}
  end

  # All output of the calling owner's only session, and its end, which is the last message.
  def collect(output \\ %{}) do
    receive do
      {:linx_process, stream, bytes} when is_binary(bytes) ->
        collect(Map.update(output, stream, [bytes], &[&1 | [bytes]]))

      {:linx_process, kind, number} when kind in [:exited, :signaled] ->
        {texts(output), {kind, number}}

      {:linx_process, :error, errno, stage} ->
        {texts(output), {:error, errno, stage}}

      {:linx_process, :aborted} ->
        {texts(output), :aborted}
    after
      30_000 -> flunk("no end after #{inspect(texts(output), limit: 5)}")
    end
  end

  # Output of one stream until it contains `text`.
  def read_until(stream, text, seen \\ "") do
    if String.contains?(seen, text) do
      seen
    else
      assert_receive {:linx_process, ^stream, bytes}, @patience
      read_until(stream, text, seen <> bytes)
    end
  end

  # Waits for a condition, whenever it may come true.
  def eventually(condition, tries \\ 1_000) do
    cond do
      condition.() ->
        :ok

      tries == 0 ->
        flunk("it never came true")

      true ->
        Process.sleep(20)
        eventually(condition, tries - 1)
    end
  end

  # An owner for another node: lets its session proceed, and tells `test` what came of it.
  def remote_owner(test) do
    assert_receive {:session, session}, @patience
    assert_receive {:linx_process, :ready, _pid}, @patience
    send(test, {:info, Linx.Process.info(session)})
    :ok = Linx.Process.proceed(session)
    {%{stdout: bytes}, {:exited, 0}} = collect()
    send(test, {:total, byte_size(bytes), Linx.Process.wait(session)})
  end

  # Waits until the sessions of earlier tests have gone.
  def all_quiet, do: eventually(fn -> Linx.AgentPort.status().sessions == 0 end)

  # Whether a process exists and is no zombie.
  def alive?(pid) do
    case File.read("/proc/#{pid}/stat") do
      {:ok, stat} -> not (stat =~ ~r/\) [ZX] /)
      {:error, _gone} -> false
    end
  end

  # Every process of the session that workload `leader` led, dead ones not yet reaped left out.
  def members_of(leader) do
    for name <- File.ls!("/proc"),
        name =~ ~r/^\d+$/,
        {:ok, stat} <- [File.read("/proc/#{name}/stat")],
        [_pid_and_name, fields] = String.split(stat, ~r/\) (?!.*\) )/s),
        [state, _parent, _group, session | _] = String.split(fields),
        session == "#{leader}" and state not in ["Z", "X"],
        do: String.to_integer(name)
  end

  def children(pid) do
    for task <- File.ls!("/proc/#{pid}/task"),
        child <- String.split(File.read!("/proc/#{pid}/task/#{task}/children")),
        do: String.to_integer(child)
  end

  def open_files(pid), do: length(File.ls!("/proc/#{pid}/fd"))

  def agent_pid(server \\ Linx.AgentPort) do
    %{os_pid: pid} = Linx.AgentPort.status(server)
    pid
  end

  defp texts(output) do
    Map.new(output, fn {stream, parts} -> {stream, IO.iodata_to_binary(parts)} end)
  end
end
