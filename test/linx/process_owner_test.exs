defmodule Linx.ProcessOwnerTest do
  use ExUnit.Case

  import Linx.TestWorkloads

  @moduletag :capture_log

  setup_all do
    {_, 0} = System.cmd("epmd", ["-daemon"])
    name = :"linx#{System.pid()}@localhost"
    # The daemon is not there yet when its command returns.
    eventually(fn -> match?({:ok, _}, Node.start(name, :shortnames)) end)
    on_exit(&Node.stop/0)
  end

  test "tag: is in every event" do
    for tag <- [:a, nil, {:b, 1}] do
      opts = [argv: ["echo", "hi"], stdio: :pipe, tag: tag, auto_proceed: true]
      {:ok, session} = Linx.Process.spawn(opts)
      assert {:ok, {:exited, 0}} = Linx.Process.wait(session)
      assert_received {:linx_process, ^tag, :ready, pid} when is_integer(pid)
      assert_received {:linx_process, ^tag, :running}
      assert_received {:linx_process, ^tag, :stdout, "hi\n"}
      assert_received {:linx_process, ^tag, :exited, 0}
      refute_received _any
    end
  end

  test "tag: is in an error, an abort, a signal too" do
    {:ok, session} = Linx.Process.spawn(argv: ["/none"], tag: 1, auto_proceed: true)
    Linx.Process.wait(session)
    assert_received {:linx_process, 1, :error, 2, :execve}

    {:ok, session} = Linx.Process.spawn(argv: ["true"], tag: 2)
    Linx.Process.abort(session)
    Linx.Process.wait(session)
    assert_received {:linx_process, 2, :aborted}

    {:ok, session} = Linx.Process.spawn(argv: ["sleep", "300"], tag: 3, auto_proceed: true)
    Linx.Process.signal(session, 9)
    Linx.Process.wait(session)
    assert_received {:linx_process, 3, :signaled, 9}
  end

  test "owner: gets the events, the caller gets none" do
    owner = listener()
    {:ok, session} = Linx.Process.spawn(argv: ["true"], owner: owner, auto_proceed: true)
    assert {:ok, {:exited, 0}} = Linx.Process.wait(session)

    assert [{:linx_process, :ready, _}, {:linx_process, :running}, {:linx_process, :exited, 0}] =
             heard(owner, 3)

    refute_received {:linx_process, _, _}
  end

  test "set_owner/2 turns the events to another" do
    {session, _pid} = launch(argv: ["cat"], stdio: :pipe)
    next = listener()
    assert :ok = Linx.Process.set_owner(session, next)
    Linx.Process.write(session, "for the next")
    Linx.Process.close_stdin(session)
    assert {:ok, {:exited, 0}} = Linx.Process.wait(session)

    assert heard(next, 2) == [
             {:linx_process, :stdout, "for the next"},
             {:linx_process, :exited, 0}
           ]

    refute_received _any
    assert {:error, :no_process} = Linx.Process.set_owner(session, self())
  end

  test "set_owner/2 takes over from an owner that reads nothing" do
    idle = spawn_link(fn -> Process.sleep(:infinity) end)
    argv = ["head", "-c", "3000000", "/dev/zero"]
    {:ok, session} = Linx.Process.spawn(argv: argv, stdio: :pipe, owner: idle, auto_proceed: true)
    {:ok, _pid} = Linx.Process.host_pid(session)
    eventually(fn -> Process.info(idle, :message_queue_len) >= {:message_queue_len, 5} end)
    :ok = Linx.Process.set_owner(session, self())
    assert {%{stdout: zeros}, {:exited, 0}} = collect()
    assert byte_size(zeros) in 2_000_000..3_000_000
  end

  test "a session outlives its owner" do
    owner = listener()
    {:ok, session} = Linx.Process.spawn(argv: ["sleep", "300"], owner: owner, auto_proceed: true)
    {:ok, pid} = Linx.Process.host_pid(session)
    Process.unlink(owner)
    Process.exit(owner, :kill)
    assert {:ok, %{stage: :running}} = Linx.Process.info(session)
    assert alive?(pid)
    Linx.Process.signal(session, 9)
    assert {:ok, {:signaled, 9}} = Linx.Process.wait(session)
  end

  describe "on another node" do
    setup do
      args = for path <- :code.get_path(), arg <- [~c"-pa", path], do: arg

      {:ok, peer, node} =
        :peer.start_link(%{name: :peer.random_name(), host: ~c"localhost", args: args})

      %{peer: peer, node: node}
    end

    test "an owner gets all output, and functions work from there", %{node: node} do
      owner = Node.spawn_link(node, Linx.TestWorkloads, :remote_owner, [self()])
      argv = ["head", "-c", "5000000", "/dev/zero"]
      {:ok, session} = Linx.Process.spawn(argv: argv, stdio: :pipe, owner: owner)
      send(owner, {:session, session})
      assert_receive {:info, {:ok, %{stage: :ready}}}, 10_000
      assert_receive {:total, 5_000_000, {:ok, {:exited, 0}}}, 30_000
    end

    test "an idle owner bounds the output", %{node: node} do
      idle = Node.spawn(node, Process, :sleep, [:infinity])
      opts = [argv: ["yes"], stdio: :pipe, owner: idle, auto_proceed: true]
      {:ok, _session} = Linx.Process.spawn(opts)
      Process.sleep(1_000)
      {:messages, messages} = :erpc.call(node, Process, :info, [idle, :messages])
      bytes = Enum.sum(for {:linx_process, :stdout, bytes} <- messages, do: byte_size(bytes))
      assert bytes in 1..1_000_000
    end

    test "a lost owner costs nothing but its output", %{peer: peer, node: node} do
      owner = Node.spawn(node, Process, :sleep, [:infinity])
      argv = ["head", "-c", "3000000", "/dev/zero"]
      {:ok, session} = Linx.Process.spawn(argv: argv, stdio: :pipe, owner: owner)
      {:ok, _pid} = Linx.Process.host_pid(session)
      :peer.stop(peer)
      Linx.Process.proceed(session)
      assert {:ok, {:exited, 0}} = Linx.Process.wait(session, 30_000)
    end

    test "a session is gone with its node", %{peer: peer, node: node} do
      session = Node.spawn(node, Process, :sleep, [:infinity])
      :peer.stop(peer)
      assert {:error, :no_process} = Linx.Process.info(session)
      assert {:error, :no_process} = Linx.Process.wait(session)
    end
  end

  defp listener do
    spawn_link(fn -> listen([]) end)
  end

  defp listen(heard) do
    receive do
      {:heard, from} ->
        send(from, {:heard, Enum.reverse(heard)})
        listen(heard)

      message ->
        listen([message | heard])
    end
  end

  # What a listener has heard, once it is that many messages.
  defp heard(listener, count) do
    send(listener, {:heard, self()})
    assert_receive {:heard, messages}

    if length(messages) < count do
      Process.sleep(10)
      heard(listener, count)
    else
      messages
    end
  end
end
