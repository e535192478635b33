defmodule Linx.Install.UnprivilegedTest do
  # The library as a user without a name or a capability has it: reads and launches work, and what the
  # kernel refuses arrives as a message. Root is needed to become that user.
  use ExUnit.Case, async: true

  @moduletag :install
  @moduletag :root
  @moduletag timeout: 300_000

  @uid "65534"

  setup_all do
    home = Path.join(System.tmp_dir!(), "linx-unprivileged-#{System.pid()}")
    File.mkdir_p!(home)
    File.cp_r!(Application.app_dir(:linx), Path.join(home, "linx"))
    {_, 0} = System.cmd("chmod", ["-R", "a+rX", home])
    on_exit(fn -> File.rm_rf!(home) end)
    {:ok, home: home}
  end

  test "reads, launches, and is told what the kernel refuses", %{home: home} do
    script = Path.join(home, "script.exs")
    File.write!(script, script())
    {out, status} = as_nobody(home, ["elixir", script])
    assert status == 0, out

    assert String.split(out, "\n", trim: true) == [
             "sets: 0 0 0",
             "launch: {:ok, {:exited, 0}}",
             "drop_bounding: {1, :cap_drop_bounding}",
             "set_thread_sets: {1, :cap_set_thread}",
             "set_ambient: {1, :cap_set_ambient}",
             "set_groups: {1, :set_groups}",
             "set_uid: {1, :set_uid}"
           ]
  end

  test "mix linx.run says so in one sentence, outside of any project", %{home: home} do
    {out, status} = as_nobody(home, ~w(mix linx.run --keep none -- true))

    assert {out, status} ==
             {"linx.run: the kernel refused to drop capabilities from the bounding set: eperm (errno 1); " <>
                "that takes cap_setpcap\n", 125}
  end

  defp as_nobody(home, command) do
    identity = ["--reuid", @uid, "--regid", @uid, "--clear-groups", "--inh-caps", "-all", "--"]
    env = [{"ERL_LIBS", home}, {"HOME", home}, {"MIX_HOME", home}, {"MIX_ENV", nil}]

    System.cmd("setpriv", identity ++ command,
      cd: home,
      env: env ++ [{"MIX_BUILD_PATH", nil}],
      stderr_to_stdout: true
    )
  end

  defp script do
    ~S"""
    alias Linx.Capabilities
    {:ok, _} = Application.ensure_all_started(:linx)

    {:ok, state} = Capabilities.read(:self)
    sizes = for set <- [:effective, :permitted, :ambient], do: MapSet.size(Map.fetch!(state, set))
    IO.puts("sets: " <> Enum.join(sizes, " "))

    {:ok, session} = Linx.Process.spawn(argv: ["true"], auto_proceed: true)
    IO.puts("launch: " <> inspect(Linx.Process.wait(session)))

    sets = [effective: [:cap_chown], permitted: [:cap_chown], inheritable: []]

    for {name, verb} <- [
          drop_bounding: &Capabilities.drop_bounding(&1, [:cap_chown]),
          set_thread_sets: &Capabilities.set_thread_sets(&1, sets),
          set_ambient: &Capabilities.set_ambient(&1, [:cap_chown]),
          set_groups: &Capabilities.set_groups(&1, 0, []),
          set_uid: &Capabilities.set_uid(&1, 0)
        ] do
      {:ok, session} = Linx.Process.spawn(argv: ["true"], tag: name)
      receive do {:linx_process, ^name, :ready, _pid} -> :ok end
      :ok = verb.(session)

      receive do
        {:linx_process, ^name, :error, errno, stage} -> IO.puts("#{name}: #{inspect({errno, stage})}")
      end
    end
    """
  end
end
