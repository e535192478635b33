defmodule Linx.ProcessManyTest do
  use ExUnit.Case

  import Linx.TestWorkloads

  # The agent's files are not for everybody to look at.
  @tag :root
  test "1,000 sessions parked at once, then released: 1,000 ends, nothing left behind" do
    all_quiet()
    launch(argv: ["true"])
    assert {_output, {:exited, 0}} = collect()
    before = %{agent: open_files(agent_pid()), vm: open_files("self"), ports: length(Port.list())}

    sessions =
      for n <- 1..1_000 do
        {:ok, session} = Linx.Process.spawn(argv: ["true"], tag: n, stdio: :devnull, linger: true)
        session
      end

    pids = for session <- sessions, do: session |> Linx.Process.host_pid() |> elem(1)
    assert length(Enum.uniq(pids)) == 1_000
    assert Enum.all?(pids, &alive?/1)

    for session <- sessions, do: :ok = Linx.Process.proceed(session)
    for session <- sessions, do: assert({:ok, {:exited, 0}} = Linx.Process.wait(session))

    for n <- 1..1_000 do
      assert_received {:linx_process, ^n, :ready, _pid}
      assert_received {:linx_process, ^n, :running}
      assert_received {:linx_process, ^n, :exited, 0}
    end

    refute_received _any
    refute Enum.any?(pids, &File.exists?("/proc/#{&1}"))
    assert children(agent_pid()) == []
    eventually(fn -> open_files(agent_pid()) == before.agent end)
    assert open_files("self") == before.vm
    assert length(Port.list()) == before.ports
    assert Linx.AgentPort.status().sessions == 0
    assert :ets.info(Linx.AgentPort.Unsettled, :size) == 0
  end

  test "many short ones, from many processes: no end is lost" do
    1..20
    |> Enum.map(fn _ ->
      Task.async(fn ->
        for _ <- 1..50 do
          {:ok, session} = Linx.Process.spawn(argv: ["true"], auto_proceed: true, stdio: :devnull)
          Linx.Process.wait(session)
        end
      end)
    end)
    |> Task.await_many(60_000)
    |> List.flatten()
    |> Enum.each(&assert &1 == {:ok, {:exited, 0}})
  end

  test "each gets its own output and no other's" do
    for n <- 1..100 do
      opts = [argv: ["echo", "#{n}"], stdio: :pipe, tag: n, auto_proceed: true]
      {:ok, session} = Linx.Process.spawn(opts)
      session
    end
    |> Enum.each(&assert {:ok, {:exited, 0}} = Linx.Process.wait(&1))

    for n <- 1..100 do
      line = "#{n}\n"
      assert_received {:linx_process, ^n, :stdout, ^line}
      refute_received {:linx_process, ^n, :stdout, _more}
    end
  end

  test "the input of one ends although others were started meanwhile" do
    {session, _pid} = launch(argv: ["wc", "-c"], stdio: :pipe)
    {:ok, other} = Linx.Process.spawn(argv: ["sleep", "300"], tag: :other, auto_proceed: true)
    {:ok, _pid} = Linx.Process.host_pid(other)
    Linx.Process.write(session, "12345")
    Linx.Process.close_stdin(session)
    assert {%{stdout: "5\n"}, {:exited, 0}} = collect()
  end
end
