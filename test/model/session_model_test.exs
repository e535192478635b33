defmodule Linx.SessionModelTest do
  # Random sequences of every call against real sessions, and a model of what `Linx.Process` promises that says which
  # answers and events are possible. A counterexample is shrunk and printed.
  use ExUnit.Case, async: false

  import Linx.TestWorkloads, only: [agent_pid: 0, all_quiet: 0, children: 1, eventually: 1]

  alias Linx.Model.{Driver, Machine}

  # Debian has it as erlang-proper. It is no dependency of the library, so Mix may keep it off the code path.
  for path <- Path.wildcard("#{:code.lib_dir()}/proper-*/ebin"), do: Code.append_path(path)

  if Code.ensure_loaded?(:proper) do
    for room <- ~w(caps session plan driver machine),
        do: Code.require_file("#{room}.exs", __DIR__)
  else
    @moduletag skip: "erlang-proper is not installed here"
  end

  @moduletag timeout: 600_000
  @moduletag :capture_log

  setup_all do
    directory = Path.join(System.tmp_dir!(), "linx-model-#{System.pid()}")
    File.mkdir!(directory)
    File.chmod!(directory, 0o755)
    on_exit(fn -> File.rm_rf!(directory) end)
    program = Path.join(directory, "workload")
    source = Path.join(__DIR__, "workload.c")

    assert {_, 0} =
             System.cmd("cc", ["-static", "-O1", "-Wall", "-Werror", "-o", program, source])

    {:ok, program: program}
  end

  test "sessions answer and tell as they promise", %{program: program} do
    options = [:long_result, :quiet, numtests: sequences(), max_size: 40]

    case :proper.quickcheck(property(program), options) do
      true -> :ok
      [commands] -> flunk(report(commands))
    end

    all_quiet()
    eventually(fn -> children(agent_pid()) == [] end)
  end

  # For an ordinary user most verbs end in the same refusal.
  defp sequences do
    root? = File.stat!("/proc/self").uid == 0
    String.to_integer(System.get_env("MODEL_SEQUENCES", if(root?, do: "1000", else: "200")))
  end

  defp property(program) do
    :proper.forall(:proper_statem.commands(Machine), fn commands ->
      wrong = Driver.in_new_process(program, fn -> run(commands) end)
      if wrong != [], do: Process.put(__MODULE__, wrong)
      wrong == []
    end)
  end

  defp run(commands) do
    {_history, state, result} = :proper_statem.run_commands(Machine, commands)
    at_the_end = Machine.finish(state)
    if result == :ok, do: at_the_end, else: [result, Machine.complaint()]
  end

  defp report(commands) do
    lines =
      for {:set, {:var, n}, {:call, _, name, args}} <- commands,
          do: "#{n}: #{name} #{inspect(args)}"

    Enum.join(lines ++ ["", inspect(Process.get(__MODULE__), pretty: true, limit: 200)], "\n")
  end
end
