defmodule Linx.ProcessStdioTest do
  use ExUnit.Case

  import Linx.TestSessions, only: [park: 1, run: 1]
  import Linx.TestWorkloads

  @moduletag :tmp_dir

  describe "stdio:" do
    test ":pipe carries all three" do
      {session, _pid} = launch(argv: ["sh", "-c", "cat; echo err >&2"], stdio: :pipe)
      assert :ok = Linx.Process.write(session, ["a", ?b, ["c" | "d"]])
      assert :ok = Linx.Process.close_stdin(session)
      assert {%{stdout: "abcd", stderr: "err\n"}, {:exited, 0}} = collect()
    end

    test ":devnull swallows and gives nothing" do
      {_session, pid} = launch(argv: ["sleep", "300"], stdio: :devnull)
      for fd <- 0..2, do: assert(File.read_link!("/proc/#{pid}/fd/#{fd}") == "/dev/null")
    end

    test ":inherit is the default, of each descriptor too" do
      mine = for fd <- 0..2, do: File.read_link("/proc/self/fd/#{fd}")

      for stdio <- [:inherit, [], [stdin: :inherit]] do
        {_session, pid} = launch(argv: ["sleep", "300"], stdio: stdio)
        assert mine == for(fd <- 0..2, do: File.read_link("/proc/#{pid}/fd/#{fd}"))
      end
    end

    test "each descriptor for itself" do
      stdio = [stdin: :devnull, stdout: :pipe, stderr: :devnull]
      launch(argv: [fixture("both.sh")], stdio: stdio)
      assert {%{stdout: "out\n"} = output, {:exited, 0}} = collect()
      assert map_size(output) == 1
    end

    test "stderr: :stdout joins them, whatever stdout is", %{tmp_dir: dir} do
      launch(argv: [fixture("both.sh")], stdio: [stdout: :pipe, stderr: :stdout])
      assert {%{stdout: "out\nerr\n"} = output, {:exited, 0}} = collect()
      assert map_size(output) == 1

      path = Path.join(dir, "joined")
      launch(argv: [fixture("both.sh")], stdio: [stdout: {:file, path}, stderr: :stdout])
      assert {_none, {:exited, 0}} = collect()
      assert File.read!(path) == "out\nerr\n"
    end

    test "{:file, path} reads, and appends", %{tmp_dir: dir} do
      [input, output] = for name <- ["in", "out"], do: Path.join(dir, name)
      File.write!(input, "from a file\n")
      stdio = [stdin: {:file, input}, stdout: {:file, output}]

      for _ <- 1..2 do
        launch(argv: ["cat"], stdio: stdio)
        assert {_none, {:exited, 0}} = collect()
      end

      assert File.read!(output) == "from a file\nfrom a file\n"
    end

    test "{:file, path} that cannot be opened", %{tmp_dir: dir} do
      {:ok, session} = Linx.Process.spawn(argv: ["true"], stdio: [stdin: {:file, dir <> "/none"}])
      assert {:error, %{stage: :stdio, errno: :enoent}} = Linx.Process.wait(session)
      assert_received {:linx_process, :error, 2, :stdio}

      {:ok, session} = Linx.Process.spawn(argv: ["true"], stdio: [stdout: {:file, dir}])
      assert {:error, %{stage: :stdio, errno: :eisdir}} = Linx.Process.wait(session)
      refute_received {:linx_process, :ready, _}
    end

    test "{:connect_unix, path} is a connection", %{tmp_dir: dir} do
      path = socket_path(dir)
      {:ok, listener} = :gen_tcp.listen(0, [:binary, active: false, ifaddr: {:local, path}])
      launch(argv: ["cat"], stdio: [stdin: {:connect_unix, path}, stdout: {:connect_unix, path}])
      {:ok, stdin} = :gen_tcp.accept(listener, 5_000)
      {:ok, stdout} = :gen_tcp.accept(listener, 5_000)
      :ok = :gen_tcp.send(stdin, "through")
      :ok = :gen_tcp.close(stdin)
      assert {:ok, "through"} = :gen_tcp.recv(stdout, 0, 5_000)
      assert {_none, {:exited, 0}} = collect()
    end

    test "{:connect_unix, path} that nobody listens at", %{tmp_dir: dir} do
      stdio = [stdin: {:connect_unix, socket_path(dir)}]
      {:ok, session} = Linx.Process.spawn(argv: ["true"], stdio: stdio)
      assert {:error, %{stage: :connect_unix, errno: :enoent}} = Linx.Process.wait(session)
      assert_received {:linx_process, :error, 2, :connect_unix}
    end

    # sun_path has room for 107 bytes.
    defp socket_path(dir) do
      path = Path.join(System.tmp_dir!(), "linx-#{:erlang.phash2(dir)}.sock")
      File.rm(path)
      on_exit(fn -> File.rm(path) end)
      path
    end
  end

  describe "write/2 and close_stdin/1" do
    test "by state" do
      {session, _pid} = park(argv: ["cat"], stdio: :pipe)
      assert {:error, :not_running} = Linx.Process.write(session, "x")
      assert {:error, :not_running} = Linx.Process.close_stdin(session)
      run(session)
      assert :ok = Linx.Process.write(session, "")
      assert :ok = Linx.Process.write(session, "x")
      assert :ok = Linx.Process.close_stdin(session)
      assert {%{stdout: "x"}, {:exited, 0}} = collect()
      assert {:error, :no_process} = Linx.Process.write(session, "x")
      assert {:error, :no_process} = Linx.Process.close_stdin(session)
    end

    test "right after proceed/1 wait for the exec" do
      {session, _pid} = park(argv: ["cat"], stdio: :pipe)
      :ok = Linx.Process.proceed(session)
      assert :ok = Linx.Process.write(session, "at once")
      assert :ok = Linx.Process.close_stdin(session)
      assert {%{stdout: "at once"}, {:exited, 0}} = collect()
    end

    test "without a pipe" do
      for stdio <- [:inherit, :devnull, :pty, [stdout: :pipe]] do
        {session, _pid} = park(argv: ["true"], stdio: stdio)
        assert {:error, :no_stdin} = Linx.Process.write(session, "x")
        assert {:error, :no_stdin} = Linx.Process.close_stdin(session)
      end
    end

    test "after the input was closed" do
      {session, _pid} = launch(argv: ["sh", "-c", "exec <&-; sleep 300"], stdio: :pipe)
      assert :ok = Linx.Process.close_stdin(session)
      assert :ok = Linx.Process.close_stdin(session)
      assert {:error, :no_stdin} = Linx.Process.write(session, "x")
    end

    test "to a workload that has closed its end are lost, and no error" do
      argv = ["sh", "-c", "exec <&-; echo closed; sleep 300"]
      {session, _pid} = launch(argv: argv, stdio: :pipe)
      read_until(:stdout, "closed")
      big = :binary.copy("x", 3_000_000)
      assert :ok = Linx.Process.write(session, big)
      assert :ok = Linx.Process.write(session, big)
    end

    test "carry any size, in order, and close after the last byte" do
      {session, _pid} = launch(argv: ["sha256sum"], stdio: :pipe)
      parts = for n <- 1..10, do: :binary.copy(<<n>>, n * 300_000)
      for part <- parts, do: assert(:ok = Linx.Process.write(session, part))
      assert :ok = Linx.Process.close_stdin(session)
      sum = :crypto.hash(:sha256, parts) |> Base.encode16(case: :lower)
      assert {%{stdout: <<^sum::binary-size(64), _::binary>>}, {:exited, 0}} = collect()
    end

    test "wait while the workload does not read, and no longer than it lives" do
      {session, _pid} = launch(argv: ["sleep", "300"], stdio: :pipe)
      big = :binary.copy("x", 1_200_000)
      assert :ok = Linx.Process.write(session, big)
      writers = for _ <- 1..3, do: Task.async(fn -> Linx.Process.write(session, big) end)
      assert Enum.all?(Task.yield_many(writers, 100), fn {_task, answer} -> answer == nil end)
      assert {:ok, %{stage: :running}} = Linx.Process.info(session)
      Linx.Process.signal(session, 9)
      assert Enum.all?(Task.await_many(writers), &(&1 in [:ok, {:error, :no_process}]))
      assert {:error, :no_process} = Linx.Process.write(session, big)
    end

    test "wait no longer than until the workload has read" do
      argv = ["sh", "-c", "read start; cat >/dev/null"]
      {session, _pid} = launch(argv: argv, stdio: :pipe)
      rest = :binary.copy("x", 2_000_000)
      assert :ok = Linx.Process.write(session, ["start\n", rest])
      assert :ok = Linx.Process.write(session, rest)
      assert :ok = Linx.Process.close_stdin(session)
      assert {_none, {:exited, 0}} = collect()
    end
  end

  describe "output" do
    test "all of it comes before the end" do
      for size <- [1, 4_095, 65_536, 70_000, 1_000_000] do
        launch(argv: ["head", "-c", "#{size}", "/dev/zero"], stdio: :pipe)
        assert {%{stdout: zeros}, {:exited, 0}} = collect()
        assert byte_size(zeros) == size
      end
    end

    test "one large write of the workload arrives whole" do
      script = "dd if=/dev/zero bs=200000 count=1 2>/dev/null"
      launch(argv: ["sh", "-c", script], stdio: :pipe)
      assert {%{stdout: zeros}, {:exited, 0}} = collect()
      assert byte_size(zeros) == 200_000
    end

    test "held by a descendant does not hold back the end" do
      launch(argv: [fixture("holds_stdout.sh")], stdio: :pipe)
      assert {%{stdout: "left " <> pid}, {:exited, 4}} = collect()
      assert alive?(String.trim(pid))
      System.cmd("kill", ["-KILL", String.trim(pid)])
    end

    test "of an idle owner is bounded, and all there when it wakes up" do
      {session, _pid} = launch(argv: ["head", "-c", "20000000", "/dev/zero"], stdio: :pipe)
      eventually(fn -> waiting_bytes() >= 200_000 end)
      Process.sleep(500)
      assert waiting_bytes() <= 262_144
      assert {:ok, %{stage: :running}} = Linx.Process.info(session)
      assert {%{stdout: zeros}, {:exited, 0}} = collect()
      assert byte_size(zeros) == 20_000_000
    end

    test "flows to an owner with other things in its mailbox" do
      for count <- [10, 12_000] do
        for n <- 1..count, do: send(self(), {:unrelated, n})
        launch(argv: ["head", "-c", "1000000", "/dev/zero"], stdio: :pipe)
        assert {%{stdout: zeros}, {:exited, 0}} = collect()
        assert byte_size(zeros) == 1_000_000
      end
    end

    test "of many loud workloads delays nobody else" do
      for _ <- 1..10, do: launch(argv: ["yes"], stdio: :pipe, owner: idle(), tag: :loud)
      launch(argv: ["echo", "heard"], stdio: :pipe)
      assert {%{stdout: "heard\n"}, {:exited, 0}} = collect()
    end

    test "of a workload whose owner is dead is thrown away" do
      owner = spawn(fn -> :ok end)
      path = Path.join(System.tmp_dir!(), "linx-#{System.unique_integer([:positive])}")
      on_exit(fn -> File.rm(path) end)
      argv = ["sh", "-c", "head -c 5000000 /dev/zero && echo done > #{path}"]
      opts = [argv: argv, stdio: :pipe, owner: owner, auto_proceed: true]
      {:ok, session} = Linx.Process.spawn(opts)
      assert {:ok, {:exited, 0}} = Linx.Process.wait(session)
      assert File.read!(path) == "done\n"
    end

    defp waiting_bytes do
      {:messages, messages} = Process.info(self(), :messages)
      Enum.sum(for {:linx_process, :stdout, bytes} <- messages, do: byte_size(bytes))
    end

    # launch/1 waits for events, so these owners pass on what is not output.
    defp idle do
      test = self()

      spawn_link(fn ->
        for event <- [:ready, :running] do
          receive do
            {:linx_process, :loud, ^event} -> send(test, {:linx_process, event})
            {:linx_process, :loud, ^event, pid} -> send(test, {:linx_process, event, pid})
          end
        end

        Process.sleep(:infinity)
      end)
    end
  end
end
