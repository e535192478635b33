defmodule Linx.Model.Plan do
  @moduledoc false
  # What a session of the model is spawned with: choices that shrink well, what `spawn/1` is given for them, and what they
  # mean to the model.

  import :proper_types, only: [elements: 1, frequency: 1]

  alias Linx.Model.Caps

  @nowhere "/no/such/place"

  @doc "A generator of choices."
  def choices do
    [
      program: elements([:pause, :cat, {:say, "", 0}, {:say, "some words", 7}, :missing]),
      stdio:
        frequency([
          {6, elements([:devnull, :pipe, :pty, :input])},
          {1, elements([:file, :socket])}
        ]),
      auto?: elements([false, true]),
      linger?: elements([true, false]),
      tagged?: elements([true, false]),
      cwd: frequency([{8, nil}, {1, "/"}, {1, @nowhere}]),
      ambient: frequency([{8, nil}, {1, []}, {1, [:cap_kill]}]),
      orphan: elements([{:kill, 5_000}, {:kill, 0}, :linger]),
      kill_tree?: elements([true, false]),
      mode: frequency([{8, :spawn}, {1, :enter}]),
      agent: frequency([{30, :shared}, {1, :dedicated}])
    ]
  end

  @doc "What the choices mean to the model."
  def meaning(choices) do
    {caps, refused} = launch_caps(choices[:ambient])

    %{
      program: if(choices[:program] == :missing, do: :pause, else: choices[:program]),
      mode: choices[:mode],
      auto?: choices[:auto?],
      linger?: choices[:linger?],
      pty?: choices[:stdio] == :pty,
      stdin?: choices[:stdio] in [:pipe, :input],
      stream: %{pipe: :stdout, pty: :pty_out}[choices[:stdio]],
      caps: caps,
      fault: setup_fault(choices[:stdio]) || refused,
      exec_fault: exec_fault(choices)
    }
  end

  defp launch_caps(nil), do: {Caps.initial(), nil}

  defp launch_caps(ambient) do
    case Caps.apply_verb(Caps.initial(), :set_ambient, [ambient]) do
      {:ok, caps} -> {caps, nil}
      refused -> {Caps.initial(), refused}
    end
  end

  defp setup_fault(:file), do: {:error, 2, :stdio}
  defp setup_fault(:socket), do: {:error, 2, :connect_unix}
  defp setup_fault(_stdio), do: nil

  defp exec_fault(choices) do
    cond do
      choices[:cwd] == @nowhere -> {:error, 2, :chdir}
      choices[:program] == :missing -> {:error, 2, :execve}
      true -> nil
    end
  end

  @doc "The options of `spawn/1`; `program` is what `workload.c` was built to."
  def options(choices, program) do
    [
      argv: argv(choices[:program], program),
      env: [],
      stdio: stdio(choices[:stdio]),
      auto_proceed: choices[:auto?],
      linger: choices[:linger?],
      orphan_policy: choices[:orphan],
      kill_tree: choices[:kill_tree?],
      agent: choices[:agent]
    ] ++
      for({:cwd, cwd} <- choices, cwd != nil, do: {:cwd, cwd}) ++
      for({:ambient, caps} <- choices, caps != nil, do: {:caps, [ambient: caps]})
  end

  defp argv(:missing, _program), do: [@nowhere]
  defp argv({:say, text, code}, program), do: [program, "say", text, Integer.to_string(code)]
  defp argv(name, program), do: [program, Atom.to_string(name)]

  defp stdio(:input), do: [stdin: :pipe, stdout: :devnull, stderr: :devnull]
  defp stdio(:file), do: [stdin: :devnull, stdout: {:file, @nowhere}, stderr: :devnull]
  defp stdio(:socket), do: [stdin: :devnull, stdout: {:connect_unix, @nowhere}, stderr: :devnull]
  defp stdio(same), do: same
end
