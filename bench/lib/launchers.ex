defmodule Bench.Launchers do
  @moduledoc """
  Every way to launch a program that is compared, each measured from the language it is made for.

  What `run` returns is the time of each of `batches` batches of `width` launches at once, in nanoseconds.
  """

  alias Bench.{Agent, Clock, Ours, Peers}

  @enforce_keys [:name, :drops?, :run]
  defstruct @enforce_keys

  @type t :: %__MODULE__{
          name: String.t(),
          drops?: boolean(),
          run: (Path.t(), pos_integer(), pos_integer() -> [pos_integer()])
        }

  @doc "Those that this machine has."
  @spec all() :: [t()]
  def all, do: c() ++ other_languages() ++ tools() ++ vm() ++ linx()

  defp c do
    for {name, method, drops?} <- [
          {"C posix_spawn", "posix_spawn", false},
          {"C fork, exec", "fork", false},
          {"C fork, drop, exec", "drop", true},
          {"C fork, park, drop, exec", "park", true},
          {"C libcap cap_launch", "cap_launch", true}
        ] do
      launcher(name, drops?, fn program, batches, width ->
        Peers.measure("launch", [method, batches, width, program])
      end)
    end
  end

  defp other_languages do
    for {name, peer} <- [{"Go cap.Launcher", "launcher-go"}, {"Rust crate caps", "launcher-caps"}],
        Peers.built?(peer) do
      launcher(name, true, fn program, batches, width ->
        Peers.measure(peer, [batches, width, program])
      end)
    end
  end

  defp tools do
    for {tool, args} <- [
          {"setpriv", &setpriv/1},
          {"capsh", &capsh/1},
          {"bwrap", &bwrap/1}
        ],
        path = System.find_executable(tool) do
      launcher("#{tool}, by posix_spawn", true, fn program, batches, width ->
        Peers.measure("launch", ["posix_spawn", batches, width, path | args.(program)])
      end)
    end
  end

  defp setpriv(program) do
    ["--bounding-set", "-all,+net_bind_service", "--inh-caps", "-all", program]
  end

  defp capsh(program) do
    [
      "--drop=" <> Enum.map_join(Ours.dropped(), ",", &Atom.to_string/1),
      "--shell=" <> program,
      "--"
    ]
  end

  defp bwrap(program) do
    ["--bind", "/", "/", "--cap-drop", "ALL", "--cap-add", "CAP_NET_BIND_SERVICE", program]
  end

  defp vm do
    setpriv =
      for path <- List.wrap(System.find_executable("setpriv")) do
        in_vm("System.cmd of setpriv", true, fn program ->
          {_output, 0} = System.cmd(path, setpriv(program))
        end)
      end

    [
      in_vm("Port.open", false, &through_port/1),
      in_vm("System.cmd", false, fn program -> {_output, 0} = System.cmd(program, []) end)
      | setpriv
    ]
  end

  defp through_port(program) do
    port = Port.open({:spawn_executable, program}, [:binary, :exit_status])

    receive do
      {^port, {:exit_status, 0}} -> :ok
    end
  end

  defp linx do
    dropped = Ours.dropped()

    [
      in_vm("Linx, declared", true, &Ours.declared/1),
      in_vm("Linx, declared, output piped", true, &Ours.declared(&1, stdout: :pipe)),
      in_vm("Linx, step by step", true, &Ours.step_by_step(&1, dropped)),
      "Linx by fork, declared" |> in_vm(true, &Ours.declared/1) |> forking(),
      "Linx by fork, step by step"
      |> in_vm(true, &Ours.step_by_step(&1, dropped))
      |> forking()
    ]
  end

  defp in_vm(name, drops?, launch) do
    launcher(name, drops?, fn program, batches, width ->
      Clock.batches(batches, width, fn -> launch.(program) end)
    end)
  end

  defp forking(%{run: run} = launcher) do
    run = fn program, batches, width ->
      Agent.with_launch(:fork, fn -> run.(program, batches, width) end)
    end

    %{launcher | run: run}
  end

  defp launcher(name, drops?, run), do: %__MODULE__{name: name, drops?: drops?, run: run}
end
