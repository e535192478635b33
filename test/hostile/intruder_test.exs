defmodule Linx.Hostile.IntruderTest do
  # What an ordinary user of the machine, and a workload without privilege, get of a parked child, of the agent and
  # of their files: nothing.
  use ExUnit.Case

  import Linx.TestSessions
  import Linx.TestWorkloads, except: [launch: 1]

  @moduletag :root
  @moduletag :tmp_dir

  # Tries everything on each pid it is given, and tells what worked.
  @intruder Path.expand("../fixtures/intruder.c", __DIR__)

  setup %{tmp_dir: dir} do
    program = Path.join(dir, "intruder")
    {_output, 0} = System.cmd("cc", ["-Wall", "-o", program, @intruder], stderr_to_stdout: true)
    # Where a user without any right can reach it.
    public = "/tmp/linx-intruder-#{System.pid()}"
    File.cp!(program, public)
    File.chmod!(public, 0o755)
    on_exit(fn -> File.rm!(public) end)
    %{intruder: public}
  end

  test "the tools can tell: root is let in to a process of its own", %{intruder: intruder} do
    port = Port.open({:spawn_executable, "/bin/sleep"}, args: ["300"])
    {:os_pid, pid} = Port.info(port, :os_pid)
    {found, 0} = System.cmd(intruder, ["#{pid}"])
    for way <- ~w(mem environ maps fd root ptrace signal), do: assert(found =~ "#{way} #{pid}\n")
    # A port's program outlives it.
    assert {"", 0} = System.cmd("kill", ["-KILL", "#{pid}"])
  end

  test "another user gets nothing of a parked child and of the agent", %{intruder: intruder} do
    {session, parked} = park(argv: ["true"])
    assert {"", 0} = as_nobody([intruder, "#{parked}", "#{agent_pid()}"])
    # Neither has come to harm.
    assert alive?(parked)
    run(session)
    assert_receive {:linx_process, :exited, 0}, 10_000
  end

  test "nor when the child has become that very user", %{intruder: intruder} do
    {session, parked} = park(argv: ["true"])
    :ok = Linx.Capabilities.set_groups(session, 65_534, [])
    :ok = Linx.Capabilities.set_uid(session, 65_534)
    {:ok, %{}} = Linx.Capabilities.read(parked)
    # One's own process may be signalled, parked or not; looked into it may not be.
    assert {found, 0} = as_nobody([intruder, "--no-signals", "#{parked}", "#{agent_pid()}"])
    assert found == ""
    assert alive?(parked)
    :ok = Linx.Process.abort(session)
    assert_receive {:linx_process, :aborted}, 10_000
  end

  test "a workload without capabilities gets nothing of agent, VM and its parked neighbours",
       %{intruder: intruder} do
    {:ok, neighbour} = Linx.Process.spawn(argv: ["true"], tag: :neighbour)
    {:ok, parked} = Linx.Process.host_pid(neighbour)
    agent = agent_pid()

    {session, _pid} =
      park(
        argv: [intruder, "#{parked}", "#{agent}", System.pid()],
        stdio: :pipe,
        caps: [
          bounding: [],
          thread_sets: [effective: [], permitted: [:cap_setuid, :cap_setgid], inheritable: []]
        ]
      )

    :ok = Linx.Capabilities.set_groups(session, 65_534, [])
    :ok = Linx.Capabilities.set_uid(session, 65_534)
    run(session)
    assert collect() == {%{}, {:exited, 0}}
    assert alive?(parked) and alive?(agent)
    :ok = Linx.Process.abort(neighbour)
  end

  test "nobody but their owner writes agent and NIF" do
    files = Path.wildcard(Application.app_dir(:linx, "priv/*"))
    assert length(files) == 2

    for path <- files do
      # No bit of a setuid program either, and no capabilities of its own.
      assert Bitwise.band(File.stat!(path).mode, 0o7022) == 0
      assert {:error, %{errno: :enodata}} = Linx.Capabilities.File.get(path)
    end
  end

  defp as_nobody(command) do
    System.cmd("setpriv", ["--reuid=65534", "--regid=65534", "--clear-groups", "--"] ++ command,
      stderr_to_stdout: true
    )
  end
end
