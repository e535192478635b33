defmodule Linx.TestObserver do
  @moduledoc false
  # A workload that stays and can be looked at: by its own word and through /proc.

  import ExUnit.Assertions
  import Linx.TestSessions, only: [sets: 1]

  @patience 10_000
  @source Path.expand("../fixtures/observe.c", __DIR__)

  # Builds it in a new directory that every user may enter; that is also a root directory it can run in.
  def build(name) do
    directory = Path.join(System.tmp_dir!(), "linx-#{name}-#{System.pid()}")
    File.mkdir!(directory)
    File.chmod!(directory, 0o755)
    program = Path.join(directory, "observe")
    assert {_, 0} = System.cmd("cc", ["-static", "-O1", "-o", program, @source])
    {directory, program}
  end

  # The observer that runs in the session, whose standard output is a pipe to the caller.
  def observe(session) do
    {:ok, pid} = Linx.Process.host_pid(session)
    assert_receive {:linx_process, :stdout, line}, @patience
    [securebits, name, cwd] = String.split(line)
    status = File.read!("/proc/#{pid}/status")

    %{
      sets: sets(pid),
      securebits: String.to_integer(securebits),
      name: name,
      cwd: cwd,
      root: File.read_link!("/proc/#{pid}/root"),
      no_new_privs: numbers(status, "NoNewPrivs") == [1],
      uids: numbers(status, "Uid"),
      gids: numbers(status, "Gid"),
      groups: numbers(status, "Groups")
    }
  end

  # Ends it, and takes its last message.
  def dismiss(session) do
    :ok = Linx.Process.signal(session, 9)
    assert_receive {:linx_process, :signaled, 9}, @patience
    :gen_statem.stop(session)
  end

  defp numbers(status, key) do
    [_, value] = Regex.run(~r/^#{key}:[ \t]*(.*)$/m, status)
    value |> String.split() |> Enum.map(&String.to_integer/1)
  end
end
