defmodule Linx.Install.SetupTest do
  # script/setup on machines that lack something. Its PATH is a directory of our own, and what
  # installs packages is a stand-in that must not be reached.
  use ExUnit.Case, async: true

  @moduletag :install
  @tools ~w(sh dirname id sed cat env grep)

  setup do
    bin = Path.join(System.tmp_dir!(), "linx-setup-#{System.unique_integer([:positive])}")
    File.mkdir_p!(bin)
    on_exit(fn -> File.rm_rf!(bin) end)
    for tool <- @tools, do: File.ln_s!(System.find_executable(tool), Path.join(bin, tool))
    {:ok, bin: bin}
  end

  test "without cargo it says where Rust comes from", %{bin: bin} do
    assert run(bin, []) ==
             {"setup: cargo was not found; install Rust (https://rustup.rs) and try again\n", 1}
  end

  test "without apt it says what to install", %{bin: bin} do
    stand_in(bin, "cargo")
    {out, 1} = run(bin, [])
    assert [_, packages] = Regex.run(~r/^setup: there is no apt here; .*: (.*)\n\z/, out)
    for package <- ~w(gcc elixir erlang-dialyzer), do: assert(package in String.split(packages))
  end

  @tag :root
  test "without root and sudo it says what root is to run", %{bin: bin} do
    for tool <- ["cargo", "apt-get"], do: stand_in(bin, tool)
    setpriv = [System.find_executable("setpriv"), "--reuid", "65534", "--clear-groups", "--"]
    {out, 1} = run(bin, setpriv)
    assert out =~ ~r/^setup: neither root nor sudo here; as root, run: apt-get install .*elixir/
    refute out =~ "stand-in"
  end

  defp run(bin, prefix) do
    [program | args] = prefix ++ [Path.join(bin, "sh"), "script/setup"]
    env = [{"PATH", bin}, {"HOME", bin}]
    System.cmd(program, args, env: env, stderr_to_stdout: true)
  end

  defp stand_in(bin, name) do
    path = Path.join(bin, name)
    File.write!(path, "#!/bin/sh\necho a stand-in was run\nexit 9\n")
    File.chmod!(path, 0o755)
  end
end
