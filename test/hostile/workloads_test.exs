defmodule Linx.Hostile.WorkloadsTest do
  # Workloads that flood, and bytes that a terminal takes for more than bytes.
  use ExUnit.Case

  import Linx.TestWorkloads

  # LINX_LINE_MIB=1024 is the long form.
  @mebibyte 1_048_576
  @line String.to_integer(System.get_env("LINX_LINE_MIB", "64")) * @mebibyte
  @floods 100
  # What a session may have on its way to its owner, and as much again in the agent and its pipe.
  @window 262_144

  @moduletag timeout: 600_000

  @tag :root
  test "floods of 100 sessions with idle owners: memory is bounded, and others are served" do
    all_quiet()
    owner = spawn_link(fn -> Process.sleep(:infinity) end)
    before = %{agent: memory(agent_or_launch()), vm: :erlang.memory(:total)}

    floods =
      for n <- 1..@floods do
        opts = [argv: ["yes"], stdio: :pipe, tag: n, owner: owner, auto_proceed: true]
        {:ok, session} = Linx.Process.spawn([orphan_policy: {:kill, 0}] ++ opts)
        session
      end

    # All of them stand still at last, their windows full.
    eventually(fn -> waiting(owner) >= @floods * 3 end)

    for _ <- 1..50 do
      {_session, _pid} = launch(argv: ["echo", "served"], stdio: :pipe)
      assert collect() == {%{stdout: "served\n"}, {:exited, 0}}
    end

    assert :erlang.memory(:total) - before.vm < @floods * @window * 2
    assert (memory(agent_pid()) - before.agent) * 1024 < 16 * @mebibyte
    assert Enum.all?(floods, &match?({:ok, %{stage: :running}}, Linx.Process.info(&1)))

    for session <- floods, do: Linx.Process.signal(session, 9)
    Process.unlink(owner)
    Process.exit(owner, :kill)
    for session <- floods, do: assert({:ok, {:signaled, 9}} = Linx.Process.wait(session, 60_000))
  end

  test "one line of many megabytes arrives as it was, however slow its owner" do
    # Numbers: what is lost, doubled or out of place changes the hash.
    line = "seq -s ' ' 1 1000000000 2>/dev/null | head -c #{@line}"
    {expected, 0} = System.cmd("/bin/sh", ["-c", line <> " | sha256sum"])
    launch(argv: ["/bin/sh", "-c", line], stdio: [stdout: :pipe], orphan_policy: {:kill, 0})
    {hash, size} = digest(:crypto.hash_init(:sha256), 0)
    assert {size, hash} == {@line, expected |> String.split() |> hd()}
  end

  test "every byte passes a terminal in raw mode, both ways" do
    bytes = for byte <- 0..255, into: <<>>, do: <<byte>>
    argv = ["/bin/sh", "-c", "stty raw -echo; echo ready; exec head -c #{64 * 256}"]
    {session, _pid} = launch(argv: argv, stdio: :pty)
    assert read_until(:pty_out, "ready") =~ "ready\n"
    text = String.duplicate(bytes, 64)
    assert :ok = Linx.Process.pty_write(session, text)
    assert {%{pty_out: ^text}, {:exited, 0}} = collect()
  end

  test "control bytes in a terminal reach the workload, and nobody else" do
    argv = ["/bin/sh", "-c", "trap 'echo interrupted' INT; echo ready; while :; do sleep 1; done"]
    {session, pid} = launch(argv: argv, stdio: :pty, orphan_policy: {:kill, 0})
    read_until(:pty_out, "ready")
    agent = agent_pid()
    # Stop and start, interrupt, quit.
    assert :ok = Linx.Process.pty_write(session, <<19, 17, 3>>)
    read_until(:pty_out, "interrupted")
    assert alive?(pid)
    assert :ok = Linx.Process.pty_write(session, <<28>>)
    assert {_output, {:signaled, 3}} = collect()
    assert agent_pid() == agent and alive?(agent)
  end

  # Hash and size of its stdout, taken with pauses.
  defp digest(hash, size) do
    receive do
      {:linx_process, :stdout, bytes} ->
        if rem(size, 16 * @mebibyte) < byte_size(bytes), do: Process.sleep(100)
        digest(:crypto.hash_update(hash, bytes), size + byte_size(bytes))

      {:linx_process, :exited, 0} ->
        {hash |> :crypto.hash_final() |> Base.encode16(case: :lower), size}
    after
      60_000 -> flunk("silent after #{size} bytes")
    end
  end

  defp agent_or_launch do
    launch(argv: ["true"])
    assert {_output, {:exited, 0}} = collect()
    agent_pid()
  end

  defp waiting(pid), do: pid |> Process.info(:message_queue_len) |> elem(1)

  # Resident, in kB.
  defp memory(pid) do
    [_, kb] = Regex.run(~r/VmRSS:\s+(\d+)/, File.read!("/proc/#{pid}/status"))
    String.to_integer(kb)
  end
end
