defmodule Linx.CLI.Task do
  @moduledoc false
  # What the Mix tasks have in common: from the command line to an exit status.

  # EX_USAGE of sysexits(3).
  @usage 64

  @type outcome :: 0..255 | {:usage, String.t()}

  @doc """
  Runs `body` with what was parsed and ends the task with the status it returns, 0 by returning.

  A wrong command line is one sentence on standard error and status 64; so is `{:usage, sentence}` from `body`.
  `--help` prints `help`.
  """
  @spec main(
          String.t(),
          String.t(),
          {:ok, parsed} | :help | {:error, String.t()},
          (parsed -> outcome())
        ) :: :ok
        when parsed: term()
  def main(name, help, parsed, body) do
    case carry_out(parsed, help, body) do
      0 -> :ok
      {:usage, sentence} -> wrong(name, sentence)
      status -> exit({:shutdown, status})
    end
  end

  @doc "One sentence on standard error, after the name of the task."
  @spec complain(String.t(), String.t()) :: :ok
  def complain(name, sentence), do: IO.puts(:stderr, [name, ": ", sentence])

  defp carry_out(:help, help, _body) do
    IO.write(help)
    0
  end

  defp carry_out({:error, sentence}, _help, _body), do: {:usage, sentence}

  defp carry_out({:ok, parsed}, _help, body) do
    if Mix.Project.get(), do: compile()
    log_to_standard_error()
    {:ok, _} = Application.ensure_all_started(:linx)
    body.(parsed)
  end

  @spec wrong(String.t(), String.t()) :: no_return()
  defp wrong(name, sentence) do
    complain(name, "#{sentence} (mix #{name} --help)")
    exit({:shutdown, @usage})
  end

  # Silently: standard output is the task's own.
  defp compile do
    shell = Mix.shell()
    Mix.shell(Mix.Shell.Quiet)
    Mix.Task.run("compile", [])
    Mix.shell(shell)
  end

  # Elixir 1.15 moved the setting.
  defp log_to_standard_error do
    Application.put_env(:logger, :console, device: :standard_error)
    Application.put_env(:logger, :default_handler, config: [type: :standard_error])
  end
end
