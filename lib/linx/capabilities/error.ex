defmodule Linx.Capabilities.Error do
  @moduledoc """
  Why capabilities could not be read, or those of a file not be changed.

  `operation` is `:read` for processes, and `:get_file`, `:set_file` or `:remove_file` for files. `errno` is the atom of an
  errno(3), with its integer in `code`. For processes:

  | `errno` | meaning |
  |---|---|
  | `:enoent` | there is no such process (any more) |
  | `:esrch` | it ended while its status was being read |
  | `:eacces` | its status may not be read; rare, since that is readable to all |
  | `:bad_status` | the text lacks one of the five `Cap…:` lines, or has it malformed or twice; `code` is `nil` |
  | `:unknown` | an errno without a name; `code` has it |

  `Linx.Capabilities.File` has the table for files.

  It is an exception too, for those who prefer to raise it.
  """

  alias Linx.Errno

  @type t :: %__MODULE__{
          path: Path.t(),
          operation: atom(),
          errno: atom(),
          code: pos_integer() | nil
        }

  @enforce_keys [:path, :operation, :errno]
  defexception [:path, :operation, :errno, :code]

  @doc """
  The error of an `operation` on `path`, from an errno(3) as integer or as atom, or from `:bad_status`.

      iex> error = Linx.Capabilities.Error.from_posix("/proc/9999/status", :read, 2)
      iex> {error.errno, error.code}
      {:enoent, 2}
      iex> Exception.message(error)
      "capabilities read failed on /proc/9999/status: enoent (errno 2)"
      iex> Linx.Capabilities.Error.from_posix("/proc/9999/status", :read, :enoent) == error
      true
      iex> Exception.message(Linx.Capabilities.Error.from_posix("/tmp/x", :read, :bad_status))
      "capabilities read failed on /tmp/x: bad_status"
  """
  @spec from_posix(Path.t(), atom(), pos_integer() | atom()) :: t()
  def from_posix(path, operation, code) when is_integer(code) do
    %__MODULE__{path: path, operation: operation, errno: Errno.name(code), code: code}
  end

  def from_posix(path, operation, :bad_status) do
    %__MODULE__{path: path, operation: operation, errno: :bad_status}
  end

  def from_posix(path, operation, errno) when is_atom(errno) do
    %__MODULE__{path: path, operation: operation, errno: errno, code: Errno.code(errno)}
  end

  @impl true
  def message(%__MODULE__{code: nil} = error), do: summary(error)
  def message(%__MODULE__{} = error), do: "#{summary(error)} (errno #{error.code})"

  defp summary(error) do
    "capabilities #{error.operation} failed on #{error.path}: #{error.errno}"
  end
end
