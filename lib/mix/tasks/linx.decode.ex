defmodule Mix.Tasks.Linx.Decode do
  @shortdoc "Tells what a mask or a text of capabilities means"
  @moduledoc """
  Tells what a mask or a text of capabilities means, and what each capability permits.

      mix linx.decode [--json] WORD...

  A word is one of these:

      00000000a80425fb         a mask in hex, as in /proc/PID/status; with or without 0x
      net_raw,cap_chown        names: with or without cap_, in any case
      'cap_net_raw=ep all+i'   the text of a set, as setcap(8) and getcap(8) have it
      '!cap_chown,^cap_kill'   the text of an IAB tuple, as capsh(1) --iab has it
      0100000200040000...      a file's attribute security.capability in hex, as
                               getfattr(1) -e hex prints it, or the binary form of
                               cap_copy_ext(3)

  Each capability comes with a sentence on what it permits, and with a warning where who
  has it is as good as root: able to get all the others by means the system offers. That holds
  in the initial user namespace, where no security module or seccomp filter prevents it.

  ## Options

      --json   one JSON array, an object for each word
      --help   this text

  ## Exit status

      0    all is decoded
      64   the command line is wrong, or a word is none of these
  """

  use Mix.Task

  alias Linx.CLI.{Arguments, Decode, Task}

  @impl true
  def run(args) do
    Task.main("linx.decode", @moduledoc, Arguments.parse(args, json: :boolean), &Decode.run/1)
  end
end
