defmodule Mix.Tasks.Linx.Getcap do
  @shortdoc "Shows the capabilities of files"
  @moduledoc """
  Shows the capabilities of files, as getcap(8) does.

      mix linx.getcap [-r] [--json] PATH...

  One line for each file that has some: its path, their text, and the root of the user namespace
  they are for, if it is not the present one. Files without capabilities are passed over in silence.

  ## Options

      -r, --recursive   look into directories, and those in them; links are not followed
      --json            one JSON array, an object for each file that has capabilities
      --help            this text

  ## Examples

      mix linx.getcap /usr/bin/ping
      mix linx.getcap -r /usr

  ## Exit status

      0    every path could be looked at
      1    some could not: missing, a link, a directory without -r, no permission
      64   the command line is wrong
  """

  use Mix.Task

  alias Linx.CLI.{Arguments, Files, Task}

  @switches [recursive: :boolean, json: :boolean]

  @impl true
  def run(args) do
    parsed = Arguments.parse(args, @switches, r: :recursive)
    Task.main("linx.getcap", @moduledoc, parsed, &Files.get/1)
  end
end
