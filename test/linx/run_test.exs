defmodule Linx.RunTest do
  use ExUnit.Case, async: true

  alias Linx.Capabilities
  alias Linx.Run.{Options, User}

  doctest Linx.Run.Options
  doctest Linx.Run.Plan
  doctest Linx.Run.Refusal
  doctest Linx.Run.User

  @moduletag timeout: 120_000

  describe "the command line" do
    test "collects repeated and comma separated capabilities" do
      {:ok, options} =
        Options.parse(~w(--keep chown,KILL --keep cap_net_raw --ambient kill ls -l))

      assert Enum.sort(options.keep) == [:cap_chown, :cap_kill, :cap_net_raw]
      assert MapSet.to_list(options.ambient) == [:cap_kill]
      assert options.argv == ["ls", "-l"]
      assert options.show == :no
    end

    test "leaves everything after -- to the program" do
      {:ok, options} = Options.parse(~w(--keep none --json -- prog --keep chown))
      assert options.argv == ~w(prog --keep chown)
      assert options.keep == MapSet.new()
      assert options.show == :json
    end

    test "asks for help" do
      assert Options.parse(~w(--keep nonsense --help)) == :help
    end

    test "is refused in one sentence" do
      for {args, sentence} <- [
            {~w(--keep none), "nothing to run"},
            {~w(-- ls), "--keep is missing"},
            {~w(--keep -- ls), "--keep needs a value"},
            {~w(--keep none --bogus -- ls), "unknown option --bogus"},
            {~w(--keep none --show=7 ls), ~s(--show does not take the value "7")},
            {~w(--keep CAP_CHWN ls), "unknown capability CAP_CHWN; did you mean cap_chown?"},
            {~w(--keep zzz ls), "unknown capability zzz"},
            {~w(--keep kill --ambient chown ls), "cap_chown is in --ambient but not in --keep"},
            {~w(--keep none --user -- ls), "--user needs a value"},
            {~w(--keep none --user nobody-here -- ls), "unknown user nobody-here"},
            {~w(--keep none --user 4294967295 -- ls), "no user id: 4294967295"}
          ] do
        assert Options.parse(args) == {:error, sentence}
      end
    end

    test "finds a user with all its groups, and takes a number that is nobody's" do
      {groups, 0} = System.cmd("id", ["-G", "nobody"])
      {:ok, nobody} = User.find("nobody")
      assert nobody.groups == groups |> String.split() |> Enum.map(&String.to_integer/1)
      assert User.find(Integer.to_string(nobody.uid)) == {:ok, nobody}

      assert User.find("3999999999") ==
               {:ok, %User{uid: 3_999_999_999, gid: 3_999_999_999, groups: []}}
    end
  end

  test "a wrong command line is 64 and one line" do
    {out, err, status} = linx_run(~w(--keep cap_net_bind_servce -- true))
    assert {out, status} == {"", 64}

    assert err ==
             "linx.run: unknown capability cap_net_bind_servce; did you mean cap_net_bind_service? " <>
               "(mix linx.run --help)\n"
  end

  test "--help explains itself on standard output" do
    {out, "", 0} = linx_run(~w(--help))
    for word <- ~w(--keep --user --ambient --show --json 125 126 127), do: assert(out =~ word)
  end

  describe "the workload's sets" do
    @describetag :root

    test "for root are what was kept, and nothing is inheritable" do
      keep = MapSet.new([:cap_net_bind_service])
      state = workload_sets(~w(--keep cap_net_bind_service))
      assert {state.effective, state.permitted, state.bounding} == {keep, keep, keep}
      assert {state.inheritable, state.ambient} == {MapSet.new(), MapSet.new()}
    end

    test "for another user are what was kept, in all five" do
      keep = MapSet.new([:cap_net_bind_service, :cap_kill])
      state = workload_sets(~w(--keep kill,net_bind_service --user 65534))
      assert state |> five() |> Enum.uniq() == [keep]
    end

    test "for a root whose uid means nothing are what was kept, in all five" do
      had = "-all,+setpcap,+kill"
      task = ~w(mix linx.run --keep kill -- cat /proc/self/status)
      started = ~w(setpriv --securebits +noroot --inh-caps #{had} --ambient-caps #{had}) ++ task
      {text, "", 0} = capture(started)
      {:ok, state} = Capabilities.parse_status(text, "/proc/self/status")
      assert state |> five() |> Enum.uniq() == [MapSet.new([:cap_kill])]
    end

    test "with --ambient are ambient only as far as it says" do
      state = workload_sets(~w(--keep kill,chown --ambient kill --user 65534))
      kill = MapSet.new([:cap_kill])

      assert {state.effective, state.permitted, state.inheritable, state.ambient} ==
               {kill, kill, kill, kill}

      assert state.bounding == MapSet.new([:cap_kill, :cap_chown])
    end

    test "are all empty when nothing is kept" do
      for user <- [[], ~w(--user 65534)] do
        state = workload_sets(~w(--keep none) ++ user)
        assert state |> five() |> Enum.uniq() == [MapSet.new()]
      end
    end
  end

  @tag :root
  test "--user takes the user's ids and groups, and only those" do
    {:ok, user} = User.find("nobody")
    {status_text, "", 0} = linx_run(~w(--keep none --user nobody -- cat /proc/self/status))
    assert ids(status_text, "Uid") == List.duplicate(user.uid, 4)
    assert ids(status_text, "Gid") == List.duplicate(user.gid, 4)
    assert ids(status_text, "Groups") == user.groups
  end

  describe "the exit status" do
    @describetag :root

    test "is the workload's, or 128 and its signal" do
      assert {"", "", 42} = sh_under_run("exit 42")
      assert {"", "", 137} = sh_under_run("kill -KILL $$")
    end

    test "is 127 for what is not there, 126 for what does not execute" do
      assert {"", "linx.run: no-such-program: not found\n", 127} =
               linx_run(~w(--keep none -- no-such-program))

      assert {"", "linx.run: /etc/passwd: cannot be executed: eacces (errno 13)\n", 126} =
               linx_run(~w(--keep none -- /etc/passwd))
    end

    test "is 125 when a capability cannot be kept because the task does not have it" do
      command = "exec mix linx.run --keep cap_kill -- true"

      assert {"", "linx.run: cap_kill cannot be kept: this process does not have it itself\n",
              125} = capture(["capsh", "--drop=cap_kill", "--", "-c", command])
    end
  end

  describe "standard input" do
    @describetag :root
    @describetag :tmp_dir

    test "reaches the workload byte for byte, and ends", %{tmp_dir: dir} do
      bytes = for i <- 1..300_000, into: <<>>, do: <<rem(i * i, 251), i::8>>
      input = Path.join(dir, "input")
      File.write!(input, bytes)
      {out, "", 0} = linx_run(~w(--keep none -- md5sum), stdin: input)
      assert String.starts_with?(out, Base.encode16(:crypto.hash(:md5, bytes), case: :lower))
    end

    test "is the task's own under -noinput", %{tmp_dir: dir} do
      input = Path.join(dir, "input")
      File.write!(input, "x")
      env = [{"ELIXIR_ERL_OPTIONS", "-noinput"}]
      {out, "", 0} = linx_run(~w(--keep none -- readlink /proc/self/fd/0), stdin: input, env: env)
      assert out == input <> "\n"
    end
  end

  describe "signals" do
    @describetag :root

    for {name, number} <- [HUP: 1, QUIT: 3, USR1: 10, USR2: 12, TERM: 15] do
      test "SIG#{name} goes to the workload" do
        script =
          "trap 'echo got #{unquote(name)}; exit 9' #{unquote(name)}; echo up; while :; do sleep 0.05; done"

        {port, os_pid} = open(~w(--keep none -- sh -c) ++ [script])
        assert_receive {^port, {:data, "up\n"}}, 30_000
        System.cmd("kill", ["-#{unquote(number)}", "#{os_pid}"])
        expected = "got #{unquote(name)}\n"
        assert_receive {^port, {:data, ^expected}}, 30_000
        assert_receive {^port, {:exit_status, 9}}, 30_000
      end
    end
  end

  describe "reports" do
    @describetag :root

    test "--show keeps standard output for the workload" do
      {out, err, 0} = linx_run(~w(--keep kill --show -- sh -c) ++ ["echo mine; sleep 0.5"])
      assert out == "mine\n"

      assert [before, checkpoint, running] =
               String.split(err, ~r/^(?=  +(before|at|after))/m, trim: true)

      assert before =~ ~r/effective +all/
      assert checkpoint =~ ~r/at the checkpoint, pid \d+\n  effective    cap_kill\n/
      assert running =~ ~r/after exec, pid \d+\n.*  bounding     cap_kill\n  ambient      none\n/s
    end

    test "--json is one object a line" do
      {"", err, 143} = linx_run(~w(--keep kill --json -- sh -c) ++ ["sleep 0.5; kill -TERM $$"])
      assert [before, checkpoint, running, ended] = String.split(err, "\n", trim: true)
      assert before =~ ~r/^{"event":"before","pid":null,"sets":{"effective":\["cap_/

      sets =
        ~S("sets":{"effective":["cap_kill"],"permitted":["cap_kill"],"inheritable":[],) <>
          ~S("bounding":["cap_kill"],"ambient":[]}})

      assert [~S({"event":"checkpoint","pid":) <> _, ""] = String.split(checkpoint, sets)
      assert [~S({"event":"running","pid":) <> _, ""] = String.split(running, sets)
      assert ended == ~S({"event":"signaled","signal":15,"status":143})
    end
  end

  @tag :root
  test "in a project, what compiling says stays off standard output" do
    command = "exec mix linx.run --keep none -- echo mine 2>/dev/null"
    assert {"mine\n", 0} = System.cmd("sh", ["-c", command], env: [{"MIX_ENV", "test"}])
  end

  ## Helpers: the task as an operating system process, outside of any project

  defp workload_sets(args) do
    {text, "", 0} = linx_run(args ++ ~w(-- cat /proc/self/status))
    {:ok, state} = Capabilities.parse_status(text, "/proc/self/status")
    state
  end

  defp five(state),
    do: [state.effective, state.permitted, state.inheritable, state.bounding, state.ambient]

  defp ids(status_text, label) do
    [_, numbers] = Regex.run(~r/^#{label}:(.*)$/m, status_text)
    numbers |> String.split() |> Enum.map(&String.to_integer/1)
  end

  defp sh_under_run(script), do: linx_run(~w(--keep none -- sh -c) ++ [script])

  defp linx_run(args, opts \\ []), do: capture(["mix", "linx.run" | args], opts)

  # System.cmd/3 cannot tell standard error apart, nor redirect standard input.
  defp capture(command, opts \\ []) do
    errors =
      Path.join(
        System.tmp_dir!(),
        "linx-run-#{System.pid()}-#{System.unique_integer([:positive])}"
      )

    redirected = ~S(errors=$1 input=$2; shift 2; exec "$@" <"$input" 2>"$errors")
    args = ["-c", redirected, "sh", errors, opts[:stdin] || "/dev/null" | command]

    {out, status} =
      System.cmd("sh", args, env: environment() ++ (opts[:env] || []), cd: outside())

    err = File.read!(errors)
    File.rm!(errors)
    {out, err, status}
  end

  defp outside, do: System.tmp_dir!()

  defp environment, do: [{"ERL_LIBS", Path.dirname(Application.app_dir(:linx))}]

  defp open(args) do
    mix = System.find_executable("mix")
    env = for {name, value} <- environment(), do: {to_charlist(name), to_charlist(value)}
    options = [:binary, :exit_status, args: ["linx.run" | args], env: env, cd: outside()]
    port = Port.open({:spawn_executable, mix}, options)

    {:os_pid, os_pid} = Port.info(port, :os_pid)
    {port, os_pid}
  end
end
