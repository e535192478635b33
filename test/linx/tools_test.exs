defmodule Linx.ToolsTest do
  @moduledoc false
  # The tasks for people beside libcap's tools. Not async: they write to the standard error of all.
  use ExUnit.Case, async: false

  import ExUnit.CaptureIO

  alias Linx.Capabilities
  alias Linx.Capabilities.Constants
  alias Linx.CLI.{Descriptions, Json}
  alias Linx.Run.{Checkpoint, Options}
  alias Mix.Tasks.Linx.{Caps, Decode, Explain, Getcap, Setcap}

  @patience 10_000

  describe "mix linx.decode" do
    test "says of masks what capsh says" do
      :rand.seed(:exsss, {1, 2, 3})
      masks = [0, 1, 0x1FF_FFFF_FFFF, 0x8000_0000_0000_0000] ++ random_masks(40)

      for mask <- masks do
        hex = mask |> Integer.to_string(16) |> String.downcase()
        {capsh, 0} = System.cmd("capsh", ["--decode=#{hex}"])
        {0, out, ""} = task(Decode, [hex])
        assert out |> String.split("\n") |> hd() == String.trim(capsh)
      end
    end

    test "takes what it says as a word again" do
      {0, masks, ""} = task(Decode, ["cap_chown,cap_kill=ep cap_kill+i"])
      assert masks =~ ~r/^permitted +0x0000000000000021$/m
      assert masks =~ ~r/^inheritable +0x0000000000000020$/m
      assert {0, again, ""} = task(Decode, ["0x0000000000000021"])
      assert again =~ ~r/\A0x0000000000000021=cap_chown,cap_kill\n/
      assert {0, ^again, ""} = task(Decode, ["cap_chown,KILL"])
    end

    test "has a sentence for every capability, in the order of the table" do
      lines =
        "native/linx-caps/descriptions.txt" |> File.read!() |> String.split("\n", trim: true)

      names = for "cap_" <> _ = line <- lines, do: line |> String.split(" ") |> hd()
      bits = for name <- names, do: name |> String.to_existing_atom() |> Constants.to_bit()
      assert bits == Enum.to_list(0..Constants.last_cap())

      for cap <- Constants.all(), do: assert(String.ends_with?(Descriptions.of(cap).permits, "."))
    end

    test "warns of what is as good as root, unless it is blocked" do
      assert {0, out, ""} = task(Decode, ["cap_sys_module"])
      assert out =~ "As good as root: runs code of its own in the kernel."
      assert {0, out, ""} = task(Decode, ["cap_net_bind_service"])
      refute out =~ "As good as root"
      assert {0, out, ""} = task(Decode, ["!cap_sys_module,^cap_kill"])
      refute out =~ "As good as root"
    end

    test "refuses what is none of all this in one sentence" do
      for {words, sentence} <- [
            {[], "nothing to decode"},
            {[""], "nothing to decode"},
            {["cap_nett_admin"], "did you mean cap_net_admin?"},
            {["cap_kil=p"], "at byte 0, found \"cap_kil=p\"; did you mean cap_kill?"},
            {["^cap_kill,"], "at byte 10, found the end"},
            {["00112233445566778899"], "neither a mask"},
            {["00112233445566778"], "an odd number of hex digits"},
            {["--frob", "0"], "unknown option --frob"}
          ] do
        assert {64, "", err} = task(Decode, words)
        assert err =~ sentence
        assert err =~ ~r/\Alinx.decode: .* \(mix linx.decode --help\)\n\z/
      end
    end

    test "is a program to a shell" do
      {out, 64} = mix(["linx.decode", "cap_kil"])
      assert out =~ "did you mean cap_kill?"
      {out, 0} = mix(["linx.decode", "--json", "20"])
      assert out =~ ~s("capabilities":[{"bit":5,"name":"cap_kill",)
      {out, 0} = mix(["linx.decode", "--help"])
      assert out =~ "mix linx.decode [--json] WORD..."
    end
  end

  describe "mix linx.getcap and mix linx.setcap" do
    @describetag :root
    setup :directory

    test "find what getcap finds", %{directory: directory} do
      for {name, text} <- [
            {"a", "cap_net_raw=ep"},
            {"b/c", "cap_kill=p cap_chown=i"},
            {"b/e f", "="}
          ] do
        file(directory, name)
        {_, 0} = System.cmd("setcap", [text, Path.join(directory, name)])
      end

      file(directory, "b/none")
      File.ln_s!(Path.join(directory, "a"), Path.join(directory, "b/link"))
      {_, 0} = System.cmd("mkfifo", [Path.join(directory, "b/fifo")])
      {_, 0} = System.cmd("setcap", ["-n", "1000", "cap_setuid=p", file(directory, "d")])

      {expected, 0} = System.cmd("getcap", ["-n", "-r", directory])
      {0, out, ""} = task(Getcap, ["-r", directory])
      assert lines(out) == lines(expected)
      assert length(lines(out)) == 4

      {0, out, ""} = task(Getcap, ["--json", Path.join(directory, "d")])
      assert out =~ ~s("text":"cap_setuid=p","rootid":1000)
    end

    test "set what setcap verifies, and take it away", %{directory: directory} do
      paths = [file(directory, "a"), file(directory, "b")]

      for {arguments, text, verify} <- [
            {[], "cap_net_raw,cap_kill=ep", []},
            {[], "cap_chown=p cap_kill=i", []},
            {["-n", "4711"], "cap_setuid=ip", ["-n", "4711"]}
          ] do
        assert task(Setcap, arguments ++ [text | paths]) == {0, "", ""}
        for path <- paths, do: assert({_, 0} = System.cmd("setcap", verify ++ ["-v", text, path]))
      end

      assert task(Setcap, ["-r" | paths]) == {0, "", ""}
      assert {"", 0} = System.cmd("getcap", paths)
    end

    test "say what cannot be done, and do the rest", %{directory: directory} do
      path = file(directory, "a")
      link = Path.join(directory, "link")
      File.ln_s!(path, link)

      assert {1, "", err} =
               task(Setcap, ["cap_kill=p", link, directory, directory <> "/no", path])

      assert err =~ "linx.setcap: #{link}: is a symbolic link\n"
      assert err =~ "linx.setcap: #{directory}: is a directory\n"
      assert err =~ "linx.setcap: #{directory}/no: no such file or directory\n"
      assert {0, out, ""} = task(Getcap, [path])
      assert out == "#{path} cap_kill=p\n"

      assert {1, "", err} = task(Getcap, [directory])
      assert err == "linx.getcap: #{directory}: is a directory\n"
      assert {1, "", err} = task(Setcap, ["cap_kill=p cap_chown=ep", path])
      assert err =~ "no file can have these"
      assert {1, "", _} = task(Setcap, ["-r", file(directory, "none")])
    end

    test "refuse a wrong command line before anything is changed", %{directory: directory} do
      path = file(directory, "a")

      for {arguments, sentence} <- [
            {[], "no text of capabilities"},
            {["cap_kill=p"], "no file to change"},
            {["cap_kil=p", path], "did you mean cap_kill?"},
            {["-r"], "no file to change"},
            {["-r", "-n", "5", path], "-r and -n exclude each other"},
            {["-n", "4294967296", "cap_kill=p", path], "no user id"},
            {["-n", "x", "cap_kill=p", path], "-n does not take the value \"x\""}
          ] do
        assert {64, "", err} = task(Setcap, arguments)
        assert err =~ sentence
      end

      assert {0, "", ""} = task(Getcap, [path])
    end
  end

  describe "mix linx.caps" do
    test "says of a process what getpcaps says" do
      pid = sleeping(~w(--keep none))
      {expected, 0} = System.cmd("getpcaps", ["#{pid}"], stderr_to_stdout: true)
      {0, out, ""} = task(Caps, ["#{pid}"])
      assert String.replace(out, ~r/ \[.*\]/, "") == expected
    end

    @tag :root
    test "says in brackets what is ambient, inheritable or blocked" do
      pid = sleeping(~w(--keep kill,chown --ambient kill --user 65534))
      {0, out, ""} = task(Caps, ["#{pid}"])
      {expected, 0} = System.cmd("getpcaps", ["--iab", "#{pid}"], stderr_to_stdout: true)
      [_, iab] = Regex.run(~r/\[(.*)\]/, expected)
      assert out == "#{pid}: cap_kill=eip [#{iab}]\n"
      assert iab =~ "^cap_kill"
    end

    @tag :root
    test "gives a thread that differs a line of its own" do
      {pid, tid} = threads()
      {0, out, ""} = task(Caps, ["#{pid}"])
      assert [leader, thread] = String.split(out, "\n", trim: true)
      assert leader =~ ~r/\A#{pid}: .*ep/
      assert thread =~ ~r/\A  thread #{tid}: \S*=p/
      assert {0, out, ""} = task(Caps, ["--json", "#{pid}"])
      assert out =~ ~s("threads":[{"tid":#{tid},)

      assert {0, out, ""} = task(Caps, ["--all"])
      assert out =~ ~r/^ *#{tid} +\(thread\) +\S*=p/m
    end

    test "draws the tree" do
      pid = sleeping(~w(--keep none))
      {:ok, list} = Capabilities.list()
      agent = Enum.find(list, &(&1.pid == pid)).ppid

      {0, out, ""} = task(Caps, ["--tree", "#{agent}"])
      assert out =~ ~r/\A +PID +UID  NAME +CAPABILITIES\n *#{agent} +\d+  linx-agent /
      assert out =~ ~r/^ *#{pid} +\d+    sleep /m
      assert {0, all, ""} = task(Caps, ["--tree"])
      assert all =~ ~r/^ *#{pid} +\d+ +sleep /m
    end

    test "shows every process once" do
      {0, out, ""} = task(Caps, ["--all"])
      pids = for [_, pid] <- Regex.scan(~r/^ *(\d+) +\d+  /m, out), do: pid
      assert pids == Enum.uniq(pids)
      assert System.pid() in pids and "1" in pids
    end

    test "shows the others when one is gone" do
      {1, out, err} = task(Caps, ["self", "1234567890"])
      assert out =~ ~r/\A#{System.pid()}: /
      assert err == "linx.caps: 1234567890: no such process\n"
      assert {1, "", _} = task(Caps, ["--tree", "1234567890"])
    end

    test "refuses a wrong command line" do
      for arguments <- [[], ["x"], ["0"], ["-5"], ["--all", "1"], ["--all", "--tree"], ["--frob"]] do
        assert {64, "", "linx.caps: " <> _} = task(Caps, arguments)
      end
    end
  end

  describe "mix linx.explain" do
    @describetag :root
    setup :directory

    test "tells what linx.run comes to", %{directory: directory} do
      File.chmod!(directory, 0o755)
      program = Path.join(directory, "sleep")
      File.cp!(System.find_executable("sleep"), program)
      {_, 0} = System.cmd("setcap", ["cap_kill,cap_net_raw=p cap_chown=i", program])

      for arguments <- [
            ~w(--keep kill),
            ~w(--keep kill,chown --user 65534),
            ~w(--keep none --user 65534),
            ~w(--keep kill,net_raw --ambient kill)
          ],
          path <- [program, System.find_executable("sleep")] do
        arguments = arguments ++ ["--", path, "60"]
        {0, out, ""} = task(Explain, ["--json" | arguments])
        {:ok, state} = arguments |> launched() |> Capabilities.read()
        assert out =~ ~s("after_exec":#{Json.encode(Json.sets(state))})
      end
    end

    test "draws a table and the rules" do
      {0, out, ""} = task(Explain, ~w(--keep kill --user 65534 -- sleep))
      assert out =~ ~r/^ +now +at the checkpoint +after exec$/m
      assert out =~ ~r/^  ambient +none +cap_kill +cap_kill$/m
      assert out =~ "+ the ambient set is added to permitted\n    P' = P' | A'\n"
      assert out =~ "It would run with uid 65534, effective 65534."
      refute out =~ ~r/^- /m
      {0, out, ""} = task(Explain, ~w(--show --keep kill --user 65534 -- sleep))
      assert out =~ "- no setuid bit applies\n"
    end

    test "foresees a refusal", %{directory: directory} do
      path = file(directory, "true")
      File.cp!(System.find_executable("true"), path)
      {_, 0} = System.cmd("setcap", ["cap_kill,cap_net_raw=ep", path])
      {126, out, ""} = task(Explain, ["--keep", "kill", path])

      assert out =~
               "The kernel would refuse to execute it (EPERM): the file insists on cap_net_raw."

      {_, 126} = mix(["linx.run", "--keep", "kill", path])
    end

    test "ends as linx.run would where there is nothing to explain" do
      assert {127, "", "linx.explain: nonesuch: not found\n"} =
               task(Explain, ~w(--keep none nonesuch))

      assert {126, "", _} = task(Explain, ~w(--keep none /))
      assert {64, "", err} = task(Explain, ~w(--keep kil true))
      assert err =~ "did you mean cap_kill?"
    end
  end

  # Status, standard output and standard error of a task.
  defp task(module, arguments) do
    test = self()

    err =
      capture_io(:stderr, fn ->
        out = capture_io(fn -> send(test, {:status, status(module, arguments)}) end)
        send(test, {:out, out})
      end)

    assert_received {:status, status}
    assert_received {:out, out}
    {status, out, err}
  end

  defp status(module, arguments) do
    :ok = module.run(arguments)
    0
  catch
    :exit, {:shutdown, status} -> status
  end

  # A task as a program of its own, in the environment that is compiled already.
  defp mix(arguments),
    do: System.cmd("mix", arguments, env: [{"MIX_ENV", "test"}], stderr_to_stdout: true)

  defp random_masks(count), do: for(_ <- 1..count, do: :rand.uniform(0x1FF_FFFF_FFFF))

  defp lines(text), do: text |> String.split("\n", trim: true) |> Enum.sort()

  defp directory(_context) do
    directory = Path.join(System.tmp_dir!(), "linx-tools-#{System.unique_integer([:positive])}")
    File.mkdir_p!(directory)
    on_exit(fn -> File.rm_rf!(directory) end)
    {:ok, directory: directory}
  end

  defp file(directory, name) do
    path = Path.join(directory, name)
    File.mkdir_p!(Path.dirname(path))
    File.write!(path, "")
    path
  end

  # The pid of a sleeping workload, started as linx.run starts it; as an ordinary user nothing is confined.
  defp sleeping(arguments) do
    if File.stat!("/proc/self").uid == 0,
      do: launched(arguments ++ ["sleep", "60"]),
      else: running(elem(Linx.Process.spawn(argv: ["sleep", "60"]), 1))
  end

  defp launched(arguments) do
    {:ok, options} = Options.parse(arguments)
    {:ok, _before, session} = Checkpoint.park(options, stdio: :devnull)
    {:ok, _pid} = Linx.Process.host_pid(session)
    :ok = Checkpoint.confine(session, options)
    running(session)
  end

  defp running(session) do
    {:ok, pid} = Linx.Process.host_pid(session)
    :ok = Linx.Process.proceed(session)
    assert_receive {:linx_process, :running}, @patience
    on_exit(fn -> Linx.Process.signal(session, 9) end)
    pid
  end

  # A process one of whose threads has given up its effective set: pid and tid.
  defp threads do
    program =
      Path.join(System.tmp_dir!(), "linx-tools-threads-#{System.unique_integer([:positive])}")

    {"", 0} = System.cmd("cc", ["-pthread", "-o", program, "test/fixtures/threads.c"])
    on_exit(fn -> File.rm!(program) end)

    {:ok, session} = Linx.Process.spawn(argv: [program], stdio: :pipe, auto_proceed: true)

    assert_receive {:linx_process, :stdout, tid}, @patience
    on_exit(fn -> Linx.Process.signal(session, 9) end)
    {:ok, pid} = Linx.Process.host_pid(session)
    {pid, String.trim(tid)}
  end
end
