defmodule Mix.Tasks.Linx.Run do
  @shortdoc "Runs a program with exactly the capabilities it needs"
  @moduledoc """
  Runs a program with exactly the capabilities it needs.

      mix linx.run --keep CAPS [options] [--] PROGRAM [ARGUMENT...]

  The program is cloned, parked before its execve, stripped of every capability that
  is not kept, and only then let go. What it starts cannot get them back: they are
  gone from the bounding set too. The task relays standard input and signals, and
  exits with the program's status.

  ## Options

      --keep CAPS      the capabilities to keep: names separated by commas, with or
                       without cap_, in any case; may be repeated. "none" keeps none
      --user USER      run as this user (a name or a number), with its group and
                       supplementary groups; what is kept survives the switch. A number
                       without an entry in the user database is its own group
      --ambient CAPS   the ambient set, out of what is kept. Unless given: everything
                       kept for an ordinary user, who would lose it at exec otherwise;
                       nothing for root, who does not need it
      --show           print the five sets to standard error: before anything was
                       changed, at the checkpoint (confined, not yet started), and
                       after exec
      --json           as --show, one JSON object per line, and how it ended
      --help           this text

  ## Examples

      mix linx.run --keep net_bind_service --user www-data -- nginx -g 'daemon off;'
      mix linx.run --keep none --show -- sleep 1
      mix linx.run --keep net_raw,net_admin --ambient net_raw --user 65534 -- ./probe

  ## Exit status

      the program's own; 128+N when signal N ended it
      64    the command line is wrong (unknown capability, user or option)
      125   confining it failed: the kernel refused a step
      126   the program is there but could not be executed
      127   the program was not found

  ## Standard input, output and signals

  Output and error output are the task's own. Input is copied through a pipe, since the
  Erlang VM reads from its standard input whatever happens; with
  ELIXIR_ERL_OPTIONS=-noinput it does not, and the program gets the task's standard input
  itself. SIGTERM, SIGHUP, SIGQUIT, SIGUSR1 and SIGUSR2 go to the program. Ctrl-C belongs
  to the Erlang VM (with ELIXIR_ERL_OPTIONS=+Bd it ends the task at once); a program whose
  task is gone gets a SIGTERM, and SIGKILL five seconds later.

  Dropping from the bounding set takes cap_setpcap, so the task is one for root.
  """

  use Mix.Task

  alias Linx.CLI.Task
  alias Linx.Run.{Launch, Options}

  @impl true
  def run(args) do
    Task.main("linx.run", @moduledoc, Options.parse(args), &Launch.run/1)
  end
end
