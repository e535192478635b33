defmodule Linx.TestFaults do
  @moduledoc false
  # What the tests that break things have in common: what was there before, what is left after, and agents with less
  # than they need.

  import ExUnit.Assertions
  import ExUnit.Callbacks, only: [on_exit: 1]
  import Linx.TestWorkloads

  @terminal [:exited, :signaled, :aborted, :error]

  # A running agent without sessions, and what it and the VM hold.
  def standing do
    all_quiet()
    warm_up()
    all_quiet()
    eventually(fn -> children(agent_pid()) == [] end)

    %{
      agent: open_files(agent_pid()),
      vm: open_files("self"),
      ports: length(Port.list()),
      processes: processes()
    }
  end

  # The processes of this library, by the module whose they are.
  defp processes do
    for pid <- Process.list(),
        {:dictionary, words} <- [Process.info(pid, :dictionary)],
        {module, _function, _arity} <- [words[:"$initial_call"]],
        String.starts_with?(Atom.to_string(module), "Elixir.Linx."),
        not String.ends_with?(Atom.to_string(module), "Test"),
        reduce: %{},
        do: (counted -> Map.update(counted, module, 1, &(&1 + 1)))
  end

  # Whatever was done since `standing/0`: an agent is up and serves, and nothing else is there that was not before.
  def nothing_left(standing) do
    warm_up()
    all_quiet()
    eventually(fn -> children(agent_pid()) == [] end)
    eventually(fn -> open_files(agent_pid()) == standing.agent end)
    eventually(fn -> open_files("self") == standing.vm end)
    eventually(fn -> length(Port.list()) == standing.ports end)
    eventually(fn -> processes() == standing.processes end)
    assert :ets.tab2list(Linx.AgentPort.Unsettled) == []
    assert :sys.get_state(Linx.AgentPort).sessions == %Linx.AgentPort.Sessions{}
    refute_received {:linx_process, _tag, _event}
  end

  defp warm_up do
    opts = [argv: ["true"], stdio: :devnull, auto_proceed: true, owner: nobody()]
    {:ok, session} = Linx.Process.spawn(opts)
    assert {:ok, {:exited, 0}} = Linx.Process.wait(session)
    :gen_statem.stop(session)
  end

  # An owner that hears nothing.
  def nobody, do: spawn(fn -> :ok end)

  # All events under that tag that have arrived, in their order; the last is the only terminal one.
  def events(tag) do
    events = heard(tag)
    assert [last] = Enum.filter(events, &(elem(&1, 0) in @terminal))
    assert last == List.last(events)
    events
  end

  def heard(tag) do
    receive do
      event when elem(event, 0) == :linx_process and elem(event, 1) == tag ->
        [event |> Tuple.delete_at(0) |> Tuple.delete_at(0) | heard(tag)]
    after
      0 -> []
    end
  end

  def kill(pid, signal \\ "KILL") when is_integer(pid) and pid > 1 do
    System.cmd("kill", ["-#{signal}", "#{pid}"], stderr_to_stdout: true)
  end

  # Returns when the agent's port has noticed.
  def kill_agent do
    agent = agent_pid()
    kill(agent)
    eventually(fn -> agent_pid() != agent end)
  end

  def stop_agent do
    agent = agent_pid()
    kill(agent, "STOP")
    on_exit(fn -> kill(agent, "CONT") end)
    eventually(fn -> File.read!("/proc/#{agent}/stat") =~ ~r/\) T / end)
    agent
  end

  # Puts another agent into the place of the shared one until the end of the test: the real one, started by `script`,
  # where it is "$@".
  def agent_under(script, dir) do
    path = Path.join(dir, "agent.sh")
    agent = Application.app_dir(:linx, "priv/linx-agent")
    File.write!(path, "#!/bin/sh\nset -e\nset -- #{agent} \"$@\"\n#{script}\n")
    File.chmod!(path, 0o755)
    all_quiet()
    :ok = Supervisor.terminate_child(Linx.Supervisor, Linx.AgentPort)

    {:ok, port} =
      GenServer.start(Linx.AgentPort, [name: Linx.AgentPort, path: path], name: Linx.AgentPort)

    on_exit(fn ->
      GenServer.stop(port)
      {:ok, _port} = Supervisor.restart_child(Linx.Supervisor, Linx.AgentPort)
    end)
  end

  # Lets the soft limit of the running agent be that until the end of the test, or until `relieve/1`.
  def limit(kind, value) do
    agent = agent_pid()
    {_, 0} = System.cmd("prlimit", ["--pid", "#{agent}", "--#{kind}=#{value}:"])
    on_exit(fn -> relieve(kind, agent) end)
    agent
  end

  def relieve(kind, agent) do
    hard = hard_limit(agent, kind)
    System.cmd("prlimit", ["--pid", "#{agent}", "--#{kind}=#{hard}:"], stderr_to_stdout: true)
    :ok
  end

  defp hard_limit(agent, kind) do
    args = ["--pid", "#{agent}", "--#{kind}", "--noheadings", "--raw", "-o", "HARD"]
    {out, _status} = System.cmd("prlimit", args, stderr_to_stdout: true)
    String.trim(out)
  end
end
