defmodule Linx.Hostile.SchedulersTest do
  # No call into native code holds a scheduler up, and no input makes an atom.
  use ExUnit.Case

  alias Linx.{Capabilities, Native}
  alias Linx.Capabilities.{Constants, IAB, Set}

  # Milliseconds on a normal scheduler from which on the VM reports a process.
  @longest 1
  # The machine may take a scheduler its processor away; what is long by itself is so nearly every time.
  @tries 20
  @all 0xFFFF_FFFF_FFFF_FFFF
  @masks {0, 0, 0}
  @state {0, 0, 0, 0, 0}

  setup_all do
    for module <- Application.spec(:linx, :modules), do: Code.ensure_loaded!(module)
    :ok
  end

  @tag :tmp_dir
  test "no native function is long on a normal scheduler", %{tmp_dir: dir} do
    calls = calls(dir)
    known = for {name, arity} <- Native.__info__(:functions), name != :load, do: {name, arity}
    assert Enum.sort(known) == Enum.sort(for {name, args} <- calls, do: {name, length(args)})
    :erlang.system_monitor(self(), long_schedule: @longest)

    # That it is seen at all.
    assert long?(fn -> :erlang.make_tuple(8_000_000, 0) end)
    long = for {name, args} <- calls, long?(fn -> call(name, args) end), do: name
    :erlang.system_monitor(:undefined)
    assert long == []
  end

  test "no input makes an atom" do
    inputs(0)
    before = :erlang.system_info(:atom_count)
    for n <- 1..2_000, do: inputs(n)
    assert :erlang.system_info(:atom_count) == before
  end

  # Names that nobody has, wherever one is read.
  defp inputs(n) do
    name = "cap_unheard_of_#{n}"
    assert {:error, _} = Set.from_text(name <> "=ep")
    assert {:error, _} = IAB.from_text("!" <> name)
    assert {:error, _} = Capabilities.parse_status("CapInh:\t#{name}\n", name)
    assert nil == Native.cap_from_text(name)
    Native.nearest_name(name)
    assert nil == Constants.to_bit(name)
    assert {:error, {:bad_capability, ^name}} = Capabilities.drop_bounding(self(), [name])
    assert {:error, _} = Linx.Process.spawn(argv: ["true"], caps: [bounding: [name]])
    assert {:error, _} = Linx.Process.spawn(argv: ["true"], namespaces: [name])
    assert {:error, _} = Linx.Process.spawn(argv: ["true"], stdio: name)
    atom = <<131, 104, 2, 119, byte_size(name), name::binary, 97, 1>>
    assert :error == Linx.AgentPort.Frame.decode(atom)
  end

  # Whether a call holds its scheduler up more often than not.
  defp long?(fun), do: Enum.count(1..@tries, fn _try -> once(fun) end) > div(@tries, 2)

  defp once(fun) do
    test = self()

    {pid, monitor} =
      spawn_monitor(fn ->
        receive(do: (:begin -> fun.()))
        send(test, :done)
        receive(do: (:leave -> :ok))
      end)

    # Begun when it is scheduled anew, and reported when it is scheduled out again: to wait.
    send(pid, :begin)
    receive(do: (:done -> send(pid, :leave)))
    receive(do: ({:DOWN, ^monitor, :process, ^pid, _reason} -> :ok))
    seen?(pid, false)
  end

  defp seen?(pid, seen) do
    receive do
      {:monitor, ^pid, :long_schedule, _info} -> seen?(pid, true)
      {:monitor, _other, :long_schedule, _info} -> seen?(pid, seen)
    after
      0 -> seen
    end
  end

  defp call(:add_caps, args) do
    with {:more, mask, rest} <- apply(Native, :add_caps, args), do: call(:add_caps, [rest, mask])
  end

  defp call(name, args), do: apply(Native, name, args)

  defp task do
    ids = {0, 0, 0, 0}

    %{
      state: @state,
      uid: ids,
      gid: ids,
      groups: Enum.to_list(1..65_536),
      securebits: 0,
      no_new_privs: false,
      shared_fs: false,
      weakly_traced: false
    }
  end

  defp program do
    %{file_caps: nil, owner: 0, group: 0, mode: 0o755, nosuid: false, foreign_namespace: false}
  end

  # Every native function with the worst that it can be given.
  defp calls(dir) do
    text = String.duplicate("cap_chown,", 100_000)
    groups = "Groups:\t" <> String.duplicate("1 ", 500_000) <> "\n"
    sets = for set <- ~w(Inh Prm Eff Bnd Amb), into: groups, do: "Cap#{set}:\t0\n"
    status = Path.join(dir, "status")
    File.write!(status, sets)
    caps = for _ <- 1..200_000, do: :cap_chown

    [
      add_caps: [caps, 0],
      cap_from_text: [text],
      cwd: [],
      exec_file: [nil, "/bin/sh"],
      explain_execve: [task(), program(), %{version: {6, 1}, max_bits: 41}],
      file_decode: [text],
      file_get: ["/bin/sh"],
      file_remove: ["/no/such"],
      file_set: ["/no/such", @masks, 0],
      file_sets: [@masks],
      iab_fill: [@masks, :inheritable, @all],
      iab_from_state: [@state],
      iab_from_text: [text],
      iab_set_vector: [@masks, :ambient, @all, true],
      iab_to_text: [{@all, @all, @all}],
      list_processes: ["/proc"],
      list_threads: ["/proc/self/task"],
      max_bits: [],
      mode: [0, @state],
      mode?: [:nopriv],
      mode_empties: [:nopriv],
      needs: [:set_uid],
      settings: [],
      nearest_name: [text],
      parse_status: [sets],
      read_status: [status],
      read_task: [status],
      securebit: [:noroot],
      securebits: [],
      securebits_names: [0xFFFF_FFFF],
      set_export: [@masks, 8],
      set_from_text: [text],
      set_import: [text],
      set_to_text: [{@all, 0, @all}],
      supported?: []
    ]
  end
end
