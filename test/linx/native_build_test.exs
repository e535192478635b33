defmodule Linx.NativeBuildTest do
  # Not async: it changes the environment of the VM.
  use ExUnit.Case

  alias Mix.Tasks.Compile.LinxNative

  setup do
    saved = for name <- ~w(PATH CARGO_TARGET_DIR), do: {name, System.get_env(name)}
    tools = Path.join(System.tmp_dir!(), "linx-tools-#{System.pid()}")
    File.mkdir_p!(tools)
    System.put_env("PATH", tools)
    System.put_env("CARGO_TARGET_DIR", Path.join(tools, "target"))

    on_exit(fn ->
      File.rm_rf!(tools)
      for {name, value} <- saved, do: restore(name, value)
    end)

    %{cargo: Path.join(tools, "cargo")}
  end

  defp restore(name, nil), do: System.delete_env(name)
  defp restore(name, value), do: System.put_env(name, value)

  defp put_cargo(path, script) do
    File.write!(path, "#!/bin/sh\n" <> script)
    File.chmod!(path, 0o755)
  end

  defp complaint do
    %Mix.Error{message: message} = catch_error(LinxNative.run(["--force"]))
    assert [_one_line] = String.split(message, "\n")
    message
  end

  test "a missing cargo is one sentence" do
    assert complaint() =~ "there is none in the PATH"
  end

  test "a cargo that is too old is one sentence", %{cargo: cargo} do
    put_cargo(cargo, "echo 'cargo 1.63.0 (fd9c4297c 2022-07-01)'")
    assert complaint() =~ ~r/needs cargo 1\.\d+\.0 or newer .* in the PATH is 1\.63\.0;/
  end

  test "a cargo that does not run is one sentence", %{cargo: cargo} do
    put_cargo(cargo, "exit 1")
    assert complaint() =~ "#{cargo} does not run"
  end

  test "a build that fails, or makes nothing, says so", %{cargo: cargo} do
    put_cargo(cargo, ~S(test "$1" = build && exit 101; echo 'cargo 99.0.0'))
    assert complaint() =~ "could not build Linx's native code (exit status 101)"
    put_cargo(cargo, "echo 'cargo 99.0.0'")
    assert complaint() =~ "there is no "
  end
end
