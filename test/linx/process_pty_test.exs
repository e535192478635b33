defmodule Linx.ProcessPtyTest do
  use ExUnit.Case

  import Linx.TestSessions, only: [park: 1, run: 1]
  import Linx.TestWorkloads

  test "is the workload's controlling terminal" do
    argv = ["sh", "-c", "test -t 0 && test -t 1 && test -t 2 && echo yes > /dev/tty"]
    launch(argv: argv, stdio: :pty)
    assert {%{pty_out: "yes\r\n"}, {:exited, 0}} = collect()
  end

  test "there is none without" do
    launch(argv: ["sh", "-c", "echo x > /dev/tty"], stdio: :pipe)
    assert {%{stderr: error}, {:exited, _}} = collect()
    assert error =~ "/dev/tty"
  end

  test "carries input and its echo" do
    {session, _pid} = launch(argv: ["cat"], stdio: :pty)
    assert :ok = Linx.Process.pty_write(session, ["hel", "lo\n"])
    assert read_until(:pty_out, "hello\r\nhello\r\n") == "hello\r\nhello\r\n"
    assert :ok = Linx.Process.pty_write(session, <<4>>)
    assert {_more, {:exited, 0}} = collect()
  end

  test "carries a signal from the keyboard" do
    {session, _pid} = launch(argv: ["sleep", "300"], stdio: :pty)
    assert :ok = Linx.Process.pty_write(session, <<3>>)
    assert {:ok, {:signaled, 2}} = Linx.Process.wait(session)
  end

  test "carries much, raw" do
    {session, _pid} =
      launch(
        argv: ["sh", "-c", "stty raw -echo; echo ready; head -c 300000 | sha256sum"],
        stdio: :pty
      )

    read_until(:pty_out, "ready")
    bytes = for n <- 1..300_000, into: <<>>, do: <<rem(n, 251)>>
    assert :ok = Linx.Process.pty_write(session, bytes)
    sum = :crypto.hash(:sha256, bytes) |> Base.encode16(case: :lower)
    assert {%{pty_out: output}, {:exited, 0}} = collect()
    assert output =~ sum
  end

  test "all output before the end is delivered" do
    for size <- [1, 4_096, 70_000] do
      launch(argv: ["head", "-c", "#{size}", "/dev/zero"], stdio: :pty)
      assert {%{pty_out: zeros}, {:exited, 0}} = collect()
      assert byte_size(zeros) == size
    end
  end

  test "has the size it was given, before the start and later" do
    argv = ["sh", "-c", "stty size; read go; stty size"]
    {:ok, session} = Linx.Process.spawn(argv: argv, stdio: :pty)
    assert :ok = Linx.Process.pty_set_winsize(session, {30, 100, 0, 0})
    assert_receive {:linx_process, :ready, _}, 5_000
    run(session)
    read_until(:pty_out, "30 100")

    assert :ok =
             Linx.Process.pty_set_winsize(session, %{rows: 40, cols: 120, xpixel: 1, ypixel: 2})

    assert :ok = Linx.Process.pty_write(session, "\n")
    assert {%{pty_out: output}, {:exited, 0}} = collect()
    assert output =~ "40 120"
    assert {:error, :no_process} = Linx.Process.pty_set_winsize(session, {1, 1, 0, 0})
  end

  test "has no other size" do
    {session, _pid} = park(argv: ["true"], stdio: :pty)

    for size <- [
          nil,
          {24, 80},
          {24, 80, 0, -1},
          {24, 80, 0, 65_536},
          {24, 80.0, 0, 0},
          %{rows: 1},
          %{rows: 1, cols: 1, xpixel: 0, ypixel: 65_536},
          %{rows: 1, cols: 1, xpixel: 0, ypixel: 0, depth: 0}
        ] do
      assert {:error, {:bad_winsize, ^size}} = Linx.Process.pty_set_winsize(session, size)
    end
  end

  test "answers by state" do
    {session, _pid} = park(argv: ["cat"], stdio: :pty)
    assert {:ok, ^session} = Linx.Process.pty_master(session)
    assert {:ok, %{pty?: true}} = Linx.Process.info(session)
    assert {:error, :not_running} = Linx.Process.pty_write(session, "x")
    run(session)
    assert :ok = Linx.Process.pty_write(session, <<4>>)
    assert {:ok, {:exited, 0}} = Linx.Process.wait(session)
    assert {:error, :no_process} = Linx.Process.pty_write(session, "x")
    assert {:ok, ^session} = Linx.Process.pty_master(session)
  end

  test "answers of a session without one" do
    {session, _pid} = park(argv: ["true"], stdio: :pipe)
    assert {:error, :no_pty} = Linx.Process.pty_master(session)
    assert {:error, :no_pty} = Linx.Process.pty_write(session, "x")
    assert {:error, :no_pty} = Linx.Process.pty_set_winsize(session, {1, 1, 0, 0})
  end
end
