defmodule Mix.Tasks.Linx.Caps do
  @shortdoc "Shows the capabilities of processes and of their threads"
  @moduledoc """
  Shows the capabilities of processes and of their threads.

      mix linx.caps [--json] PID...
      mix linx.caps [--json] --all
      mix linx.caps [--json] --tree [PID...]

  `self` stands for the Erlang VM that runs the task. A PID may also be the id of a thread.

  For each process the text of its effective, permitted and inheritable sets, as getpcaps(8) prints
  it. In brackets, unless it is empty, its IAB tuple: `!` before what its bounding set lacks, `^`
  before what is ambient; a name alone is inheritable. The kernel keeps all of this for each thread:
  threads that differ from the first of their process have lines of their own.

  ## Options

      --all    every process
      --tree   every process, or what descends from the given ones, below its parent
      --json   one JSON array, an object for each process, the sets as lists of names
      --help   this text

  ## Exit status

      0    all are shown
      1    there is no such process, or it may not be read; the others are shown
      64   the command line is wrong
  """

  use Mix.Task

  alias Linx.CLI.{Arguments, Processes, Task}

  @switches [all: :boolean, tree: :boolean, json: :boolean]

  @impl true
  def run(args) do
    Task.main("linx.caps", @moduledoc, Arguments.parse(args, @switches), &Processes.run/1)
  end
end
