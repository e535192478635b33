defmodule Linx.ProcessTreeTest do
  # What becomes of the descendants of a workload.
  use ExUnit.Case, async: false

  import Linx.TestWorkloads

  setup do
    all_quiet()
    mark = "77" <> String.pad_leading("#{System.unique_integer([:positive])}", 6, "0")
    on_exit(fn -> for pid <- sleepers(mark), do: System.cmd("kill", ["-KILL", "#{pid}"]) end)
    %{mark: mark}
  end

  # Three sleepers: in the workload's group, in a session of its own, and one whose parents are gone as a daemon's.
  defp family(mark) do
    "sleep #{mark} & setsid sleep #{mark} & (setsid sh -c 'sleep #{mark} & exit') & " <>
      "while [ $(pgrep -cfx 'sleep #{mark}') -lt 3 ]; do sleep 0.01; done; echo up; "
  end

  defp start(mark, then, opts) do
    argv = ["sh", "-c", family(mark) <> then]
    {session, pid} = launch([argv: argv, stdio: [stdin: :devnull, stdout: :pipe]] ++ opts)
    assert_receive {:linx_process, :stdout, "up\n"}, 10_000
    {session, pid}
  end

  defp sleepers(mark) do
    {out, _status} = System.cmd("pgrep", ["-fx", "sleep #{mark}"])
    for pid <- String.split(out), do: String.to_integer(pid)
  end

  test "they end with a workload that ends itself", %{mark: mark} do
    {session, _pid} = start(mark, "exit 3", orphan_policy: {:kill, 200})
    assert {:ok, {:exited, 3}} = Linx.Process.wait(session)
    eventually(fn -> sleepers(mark) == [] end)
  end

  test "they end with a session that is stopped", %{mark: mark} do
    {session, _pid} = start(mark, "wait; sleep 300", orphan_policy: {:kill, 200})
    :gen_statem.stop(session)
    eventually(fn -> sleepers(mark) == [] end)
  end

  test "they end when they ignore SIGTERM, too", %{mark: mark} do
    argv = ["sh", "-c", "trap '' TERM; setsid sleep #{mark} & echo up; sleep #{mark}; sleep 300"]
    {session, _pid} = launch(argv: argv, stdio: :pipe, orphan_policy: {:kill, 200})
    assert_receive {:linx_process, :stdout, "up\n"}, 10_000
    :gen_statem.stop(session)
    eventually(fn -> sleepers(mark) == [] end)
  end

  test "they end with a session that is killed", %{mark: mark} do
    Process.flag(:trap_exit, true)
    {session, _pid} = start(mark, "wait; sleep 300", orphan_policy: {:kill, 200})
    Process.exit(session, :kill)
    eventually(fn -> sleepers(mark) == [] end)
  end

  test "those in the workload's session end with an agent that is killed", %{mark: mark} do
    argv = ["sh", "-c", "sleep #{mark} & echo up; wait"]
    {session, pid} = launch(argv: argv, stdio: :pipe, orphan_policy: {:kill, 200})
    assert_receive {:linx_process, :stdout, "up\n"}, 10_000
    System.cmd("kill", ["-KILL", "#{agent_pid()}"])
    assert {:error, %{stage: :agent_died}} = Linx.Process.wait(session)
    eventually(fn -> sleepers(mark) == [] and not alive?(pid) end)
  end

  test "with kill_tree: false they are left alone", %{mark: mark} do
    {session, _pid} = start(mark, "exit 0", kill_tree: false, orphan_policy: {:kill, 0})
    assert {:ok, {:exited, 0}} = Linx.Process.wait(session)
    Process.sleep(300)
    assert length(sleepers(mark)) == 3
  end

  test "with kill_tree: false a stop reaches the workload alone", %{mark: mark} do
    {session, pid} = start(mark, "wait; sleep 300", kill_tree: false, orphan_policy: {:kill, 100})
    :gen_statem.stop(session)
    refute alive?(pid)
    assert length(sleepers(mark)) == 3
  end
end
