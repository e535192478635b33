defmodule Linx.Process.Info do
  @moduledoc """
  A session at a glance, from `Linx.Process.info/1`.

  | field | |
  |---|---|
  | `mode` | `:spawn` or `:enter` |
  | `stage` | `:starting`, `:spawned`, `:ready`, `:running`, or the end: `:exited`, `:signaled`, `:aborted`, `:errored` |
  | `host_pid` | the child's pid as the host sees it; `nil` before `:ready` |
  | `child_pid` | the same as the child sees it: another one in a PID namespace of its own |
  | `pty?` | whether it has a pseudo-terminal |
  | `result` | at the end `{:exited, code}`, `{:signaled, n}`, `:aborted` or a `Linx.Process.Error`; `nil` before |

  It is inspected in short form:

      iex> inspect(%Linx.Process.Info{mode: :spawn, stage: :ready, host_pid: 12345})
      "#Linx.Process.Info<spawn :ready host=12345>"
  """

  alias Linx.Process.Error

  @type stage ::
          :starting | :spawned | :ready | :running | :exited | :signaled | :aborted | :errored

  @type t :: %__MODULE__{
          mode: :spawn | :enter,
          stage: stage(),
          host_pid: pos_integer() | nil,
          child_pid: pos_integer() | nil,
          pty?: boolean(),
          result: nil | {:exited, 0..255} | {:signaled, pos_integer()} | :aborted | Error.t()
        }

  defstruct mode: :spawn,
            stage: :starting,
            host_pid: nil,
            child_pid: nil,
            pty?: false,
            result: nil

  defimpl Inspect do
    alias Linx.Process.Error

    def inspect(info, _opts) do
      words = [info.mode, stage(info), host(info.host_pid), if(info.pty?, do: "pty")]
      "#Linx.Process.Info<#{words |> Enum.reject(&is_nil/1) |> Enum.join(" ")}>"
    end

    defp stage(%{stage: stage, result: {_kind, n}}), do: ":#{stage}(#{n})"
    defp stage(%{stage: stage, result: %Error{} = e}), do: ":#{stage}(#{e.stage}/#{e.code})"
    defp stage(%{stage: stage}), do: ":#{stage}"

    defp host(nil), do: nil
    defp host(pid), do: "host=#{pid}"
  end
end
