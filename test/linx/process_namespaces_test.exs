defmodule Linx.ProcessNamespacesTest do
  use ExUnit.Case

  import Linx.TestSessions, only: [park: 1, run: 1]
  import Linx.TestWorkloads

  @moduletag :root

  # The option's words, and the kernel's.
  @types [
    net: "net",
    mount: "mnt",
    pid: "pid",
    uts: "uts",
    ipc: "ipc",
    user: "user",
    cgroup: "cgroup"
  ]

  test "namespaces: are fresh, those asked for and no others" do
    for {type, name} <- @types do
      {_session, pid} = park(argv: ["true"], namespaces: [type, type])

      for {_type, other} <- @types do
        fresh? = namespace(pid, other) != namespace("self", other)
        assert fresh? == (other == name), "#{other} of a child with its own #{name}"
      end
    end
  end

  test "a time namespace is that of the workload" do
    {_session, pid} = launch(argv: ["sleep", "300"], namespaces: [:time])
    assert namespace(pid, "time") != namespace("self", "time")
  end

  test "several at once; the workload is pid 1 of its own" do
    {session, pid} =
      park(argv: ["sh", "-c", "echo $$"], stdio: :pipe, namespaces: [:pid, :net, :uts, :ipc])

    assert {:ok, %{host_pid: ^pid, child_pid: 1}} = Linx.Process.info(session)
    run(session)
    assert {%{stdout: "1\n"}, {:exited, 0}} = collect()
  end

  describe "enter/2" do
    setup do
      # SIGTERM means nothing to a pid 1.
      types = [:net, :uts, :ipc, :pid]
      opts = [argv: ["sleep", "300"], namespaces: types, orphan_policy: {:kill, 0}]
      {session, pid} = launch(opts)
      %{target_session: session, target: pid}
    end

    test "joins all of them by default", %{target: target} do
      {session, pid} = entered(target, argv: ["sleep", "300"])
      for name <- ["net", "uts", "ipc", "pid"], do: assert(same?(name, pid, target))

      assert {:ok, %{mode: :enter, host_pid: ^pid, child_pid: child} = info} =
               Linx.Process.info(session)

      assert child != pid
      assert inspect(info) == "#Linx.Process.Info<enter :running host=#{pid}>"
    end

    test "joins those it is told", %{target: target} do
      {_session, pid} = entered(target, argv: ["sleep", "300"], namespaces: [:uts])
      assert same?("uts", pid, target)
      for name <- ["net", "ipc", "pid"], do: assert(same?(name, pid, "self"))
    end

    test "takes the other options of spawn/1", %{target: target} do
      {_session, _pid} = entered(target, argv: ["echo", "inside"], stdio: :pipe)
      assert {%{stdout: "inside\n"}, {:exited, 0}} = collect()
    end

    test "of a process that is not there names the namespace" do
      {:ok, session} = Linx.Process.enter(1_234_567_890, argv: ["true"], namespaces: [:net])
      assert {:error, %{stage: :open_ns_net, code: code}} = Linx.Process.wait(session)
      assert code in [2, 3]
      assert_received {:linx_process, :error, ^code, :open_ns_net}
      refute_received {:linx_process, :ready, _}
    end
  end

  defp entered(target, opts) do
    {:ok, session} = Linx.Process.enter(target, [auto_proceed: true] ++ opts)
    assert_receive {:linx_process, :ready, pid}, 5_000
    assert_receive {:linx_process, :running}, 5_000
    {session, pid}
  end

  defp namespace(pid, name), do: File.read_link!("/proc/#{pid}/ns/#{name}")
  defp same?(name, one, other), do: namespace(one, name) == namespace(other, name)
end
