defmodule Linx.Process.Error do
  @moduledoc """
  How a session failed before its workload ran, or lost its agent.

  | field | |
  |---|---|
  | `stage` | where: `:execve`, `:chdir`, `:cap_drop_bounding`, …; see `Linx.Process` |
  | `code` | the errno(3); for the stage `:agent_died` the agent's exit status |
  | `errno` | the name of that errno, `:unknown` when it has none |

  `Linx.Process.wait/2` returns it; it is an exception too, for those who prefer to raise it.

      iex> {:ok, session} = Linx.Process.spawn(argv: ["/no/such/program"], auto_proceed: true)
      iex> {:error, error} = Linx.Process.wait(session)
      iex> {error.stage, error.errno, error.code}
      {:execve, :enoent, 2}
      iex> Exception.message(error)
      "process execve failed: enoent (errno 2)"
  """

  alias Linx.Errno

  @type t :: %__MODULE__{stage: atom(), errno: atom(), code: integer()}

  @enforce_keys [:stage, :errno, :code]
  defexception [:stage, :errno, :code]

  @doc """
  The error of a stage and its code, an errno(3).

      iex> Linx.Process.Error.new(:chdir, 20)
      %Linx.Process.Error{stage: :chdir, errno: :enotdir, code: 20}
      iex> Linx.Process.Error.new(:agent_died, 137).errno
      :unknown
  """
  @spec new(atom(), integer()) :: t()
  def new(:agent_died, status), do: %__MODULE__{stage: :agent_died, errno: :unknown, code: status}
  def new(stage, code), do: %__MODULE__{stage: stage, errno: Errno.name(code), code: code}

  @impl true
  def message(%__MODULE__{stage: :agent_died} = error) do
    "process agent died without reporting a terminal status (exit code #{error.code})"
  end

  def message(%__MODULE__{} = error) do
    "process #{error.stage} failed: #{error.errno} (errno #{error.code})"
  end
end
