defmodule Mix.Tasks.Linx.Explain do
  @shortdoc "Predicts the capabilities a program would run with, and says why"
  @moduledoc """
  Predicts the capabilities a program would have under `mix linx.run`, and says why.

      mix linx.explain --keep CAPS [options] [--] PROGRAM [ARGUMENT...]

  A child is parked and confined as `mix linx.run` would do it, then discarded: the program does
  not run. What its execve would do is predicted from the file and the kernel's rules. Shown are
  the five sets now, at the checkpoint and after exec, and in the kernel's order the rules whose
  condition held.

  ## Options

      --keep CAPS      the capabilities to keep, --ambient CAPS the ambient ones, and
      --user USER      the user, all three as for mix linx.run
      --show           the other rules as well, marked with a -
      --json           one JSON object, with all rules
      --help           this text

  ## Examples

      mix linx.explain --keep net_bind_service --user www-data -- nginx
      mix linx.explain --keep none -- ping

  ## Exit status

      0     the kernel would execute the program
      64    the command line is wrong (unknown capability, user or option)
      125   confining it failed: the kernel refused a step
      126   the kernel would refuse to execute it for its capabilities, or it cannot be looked at
      127   the program was not found

  Other reasons not to execute a file, such as its mode, are not judged. As for `mix linx.run`, this is a
  task for root.
  """

  use Mix.Task

  alias Linx.CLI.Task
  alias Linx.Run.{Explain, Options}

  @impl true
  def run(args) do
    Task.main("linx.explain", @moduledoc, Options.parse(args), &Explain.run/1)
  end
end
