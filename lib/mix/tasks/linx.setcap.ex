defmodule Mix.Tasks.Linx.Setcap do
  @shortdoc "Gives capabilities to files, or takes them away"
  @moduledoc """
  Gives capabilities to files, or takes them away, as setcap(8) does.

      mix linx.setcap [-n UID] TEXT PATH...
      mix linx.setcap -r PATH...

  A file has one effective bit for all, so `e` goes with every capability of the text or with none.
  Links are not followed, and only regular files can have capabilities. It takes cap_setfcap.

  ## Options

      -n, --rootid UID   for the user namespace whose root is this user, and no other
      -r, --remove       take away what the files have
      --help             this text

  ## Examples

      mix linx.setcap cap_net_raw=ep ./probe
      mix linx.setcap 'cap_net_bind_service,cap_net_raw=p cap_kill=i' ./server
      mix linx.setcap -r ./probe ./server

  ## Exit status

      0    every file was changed
      1    some were not; the others were
      64   the command line is wrong, or the text is none: nothing was changed
  """

  use Mix.Task

  alias Linx.CLI.{Arguments, Files, Task}

  @switches [rootid: :integer, remove: :boolean]

  @impl true
  def run(args) do
    parsed = Arguments.parse(args, @switches, n: :rootid, r: :remove)
    Task.main("linx.setcap", @moduledoc, parsed, &Files.set/1)
  end
end
