defmodule Linx do
  @moduledoc """
  Linux capabilities and confined processes for the BEAM.

  | module | what it is for |
  |---|---|
  | `Linx.Capabilities` | reads any process's five capability sets; shrinks those of a parked session |
  | `Linx.Process` | launches a workload, parked before its `execve`, and follows it to its end |
  | `Linx.Launcher` | both in one: a program, its ids, capabilities, mode and root directory as a value |
  | `Linx.AgentPort` | owns the agent, the one helper process that forks and reaps the workloads |
  | `Linx.Native` | the NIF: reading and parsing on the host's side |

  The usual course: `Linx.Process.spawn/1` parks a child, `Linx.Capabilities.read/1` looks at it,
  `Linx.Capabilities.drop_bounding/2` and its siblings shrink it, `Linx.Process.proceed/1` lets it exec.
  """
end
