defmodule Linx.Hostile.SoakTest do
  # script/soak N: N launches with mixed options, some of them killed, and what agent and VM hold meanwhile.
  use ExUnit.Case

  import Linx.TestWorkloads

  @launches String.to_integer(System.get_env("LINX_LAUNCHES", "60000"))
  @seed String.to_integer(System.get_env("LINX_SEED", "1"))
  # Looks at what is held; the first third of them is warming up.
  @looks 12
  @at_once 16

  @moduletag timeout: :infinity
  @moduletag :tmp_dir

  # The agent's files are not for everybody to look at.
  @tag :root
  test "launches of every kind leave nothing behind", %{tmp_dir: dir} do
    all_quiet()
    launch(argv: ["true"])
    assert {_output, {:exited, 0}} = collect()
    agent = agent_pid()
    for module <- Application.spec(:linx, :modules), do: Code.ensure_loaded!(module)

    {looks, ends} =
      Enum.map_reduce(1..@looks, %{}, fn number, ends ->
        share = div(@launches, @looks)
        ends = number |> launches(share, dir) |> Map.merge(ends, fn _end, a, b -> a + b end)
        all_quiet()
        {look(agent, number * share), ends}
      end)

    report(looks, ends)
    assert ends |> Map.values() |> Enum.sum() == div(@launches, @looks) * @looks
    assert agent_pid() == agent
    eventually(fn -> children(agent) == [] end)
    flat(looks)
  end

  # Ends by their kind, of that many launches.
  defp launches(round, count, dir) do
    1..@at_once
    |> Enum.map(&Task.async(fn -> worker(round, &1, share(count, &1), dir) end))
    |> Task.await_many(:infinity)
    |> List.flatten()
    |> Enum.frequencies()
  end

  defp share(count, worker), do: div(count + worker - 1, @at_once)

  defp worker(round, worker, count, dir) do
    :rand.seed(:exsss, {@seed, round, worker})
    for _ <- 1..count//1, do: one(dir)
  end

  defp one(dir) do
    {kind, opts, act} = Enum.random(kinds(dir))
    {:ok, session} = Linx.Process.spawn([linger: true, tag: :soak] ++ opts)
    act.(session)
    outcome = session |> Linx.Process.wait(60_000) |> told()
    assert {kind, outcome} == {kind, heard()}
    GenServer.stop(session)
    {kind, outcome}
  end

  defp told({:ok, outcome}), do: outcome
  defp told({:error, %Linx.Process.Error{} = error}), do: {:error, error.code, error.stage}

  # The end that the owner was told: the last of the session's messages.
  defp heard do
    receive do
      {:linx_process, :soak, kind, number} when kind in [:exited, :signaled] -> {kind, number}
      {:linx_process, :soak, :error, errno, stage} -> {:error, errno, stage}
      {:linx_process, :soak, :aborted} -> :aborted
      message when elem(message, 1) == :soak -> heard()
    after
      60_000 -> flunk("an end that the owner was not told")
    end
  end

  defp kinds(dir) do
    go = [auto_proceed: true]
    quiet = [stdio: :devnull]
    sleep = [argv: ["sleep", "300"]] ++ quiet
    shell = &["/bin/sh", "-c", &1]

    [
      {:plain, [argv: ["true"]] ++ go ++ quiet, &Function.identity/1},
      {:proceed, [argv: ["false"]] ++ quiet, &proceed/1},
      {:output, [argv: shell.("head -c 100000 /dev/zero"), stdio: :pipe] ++ go,
       &Function.identity/1},
      {:input, [argv: ["cat"], stdio: :pipe] ++ go, &feed/1},
      {:terminal, [argv: shell.("echo $TERM; exit 3"), stdio: :pty] ++ go, &Function.identity/1},
      {:file, [argv: ["echo"], stdio: [stdout: {:file, Path.join(dir, "out")}]] ++ go,
       &Function.identity/1},
      {:confined, [argv: ["true"], caps: [bounding: [:cap_kill]]] ++ go ++ quiet,
       &Function.identity/1},
      {:dropped, [argv: ["true"]] ++ quiet, &drop/1},
      {:missing, [argv: ["/no/such"]] ++ go ++ quiet, &Function.identity/1},
      {:nowhere, [argv: ["true"], cwd: "/no/such"] ++ go ++ quiet, &Function.identity/1},
      {:abort, sleep, &Linx.Process.abort/1},
      {:signal, sleep ++ go, &Linx.Process.signal(&1, 15)},
      {:killed, sleep ++ go, &kill/1},
      {:killed_parked, sleep, &kill/1},
      {:family, [argv: shell.("sleep 300 & exit 0")] ++ go ++ quiet, &Function.identity/1}
    ]
  end

  defp proceed(session) do
    {:ok, _pid} = Linx.Process.host_pid(session)
    Linx.Process.proceed(session)
  end

  defp feed(session) do
    receive(do: ({:linx_process, :soak, :running} -> :ok))
    :ok = Linx.Process.write(session, :binary.copy("x", 10_000))
    :ok = Linx.Process.close_stdin(session)
  end

  defp drop(session) do
    {:ok, _pid} = Linx.Process.host_pid(session)
    :ok = Linx.Capabilities.drop_bounding(session, [:cap_sys_admin])
    Linx.Process.proceed(session)
  end

  # From outside, wherever it is on its way.
  defp kill(session) do
    {:ok, pid} = Linx.Process.host_pid(session)
    Process.sleep(:rand.uniform(3) - 1)
    {_output, _status} = System.cmd("/bin/kill", ["-KILL", "#{pid}"], stderr_to_stdout: true)
  end

  defp look(agent, launches) do
    for process <- Process.list(), do: :erlang.garbage_collect(process)

    %{
      launches: launches,
      agent_kb: memory(agent),
      vm_kb: memory("self"),
      vm_used_kb: div(:erlang.memory(:total), 1024),
      agent_files: open_files(agent),
      vm_files: open_files("self"),
      processes: length(Process.list()),
      atoms: :erlang.system_info(:atom_count)
    }
  end

  defp memory(pid) do
    [_, kb] = Regex.run(~r/VmRSS:\s+(\d+)/, File.read!("/proc/#{pid}/status"))
    String.to_integer(kb)
  end

  # What is counted stays; what is measured is compared, the last third with the one before.
  defp flat(looks) do
    [_first, second, third] = Enum.chunk_every(looks, div(@looks, 3))

    for key <- [:agent_files, :vm_files, :processes, :atoms] do
      most = second |> Enum.map(& &1[key]) |> Enum.max()
      assert Enum.min(Enum.map(third, & &1[key])) <= most, "#{key} grows"
    end

    for {key, room} <- [agent_kb: 512, vm_kb: 16_384, vm_used_kb: 4_096] do
      assert mean(third, key) - mean(second, key) < room, "#{key} grows"
    end
  end

  defp mean(looks, key), do: looks |> Enum.map(& &1[key]) |> then(&(Enum.sum(&1) / length(&1)))

  defp report(looks, ends) do
    if System.get_env("LINX_LAUNCHES") do
      keys = ~w(launches agent_kb vm_kb vm_used_kb agent_files vm_files processes atoms)a
      IO.puts(["\n| ", Enum.join(keys, " | "), " |"])
      for look <- looks, do: IO.puts(["| ", Enum.map_join(keys, " | ", &"#{look[&1]}"), " |"])
      for {kind, count} <- Enum.sort(ends), do: IO.puts("#{inspect(kind)}: #{count}")
    end
  end
end
