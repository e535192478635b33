defmodule Linx.Capabilities.ProcessInfo do
  @moduledoc """
  A process in the list of `Linx.Capabilities.list/0`.

  | field | |
  |---|---|
  | `pid` | as the host sees it |
  | `ppid` | its parent's; 0 for init and for kernel threads' parent |
  | `name` | its command name (`Name:` in proc_pid_status(5)): at most 15 bytes for programs; may be no valid UTF-8 |
  | `uid` | its effective user id, as ps(1) shows it |
  | `state` | a `Linx.Capabilities.State`: the sets of its first thread |
  """

  alias Linx.Capabilities.State

  @type t :: %__MODULE__{
          pid: pos_integer(),
          ppid: non_neg_integer(),
          name: binary(),
          uid: 0..0xFFFF_FFFF,
          state: State.t()
        }

  @enforce_keys [:pid, :ppid, :name, :uid, :state]
  defstruct [:pid, :ppid, :name, :uid, :state]
end
