defmodule Linx.CLI.Failure do
  @moduledoc false
  # What the kernel or a parser refused, in the words people know from other tools.

  alias Linx.Capabilities.{Error, TextError}
  alias Linx.CLI.{CapNames, Terminal}
  alias Linx.Native

  # file:format_error/1 knows errnos of files; these mean something else here, or nothing to it.
  @words %{
    enodata: "has no capabilities",
    eloop: "is a symbolic link",
    eisdir: "is a directory",
    eopnotsupp: "its file system has no capabilities",
    bad_status: "its status could not be understood"
  }

  @doc """
  The path, and what is the matter with it.

      iex> error = Linx.Capabilities.Error.from_posix("/bin", :get_file, :eisdir)
      iex> Linx.CLI.Failure.at_path(error)
      "/bin: is a directory"
      iex> error = Linx.Capabilities.Error.from_posix("/nowhere", :get_file, :enoent)
      iex> Linx.CLI.Failure.at_path(error)
      "/nowhere: no such file or directory"
  """
  @spec at_path(Error.t()) :: String.t()
  def at_path(%Error{path: path} = error), do: "#{Terminal.printable(path)}: #{reason(error)}"

  defp reason(%Error{errno: :einval, operation: :set_file}),
    do:
      "no file can have these: effective neither empty nor covering the others, or it is no regular file"

  defp reason(%Error{errno: :eperm}),
    do: "not permitted; that takes #{Native.needs(:set_file_caps)}"

  defp reason(%Error{errno: errno, code: code}) do
    case Map.fetch(@words, errno) do
      {:ok, words} -> words
      :error -> posix(errno, code)
    end
  end

  defp posix(errno, code) do
    case errno |> :file.format_error() |> to_string() do
      "unknown POSIX error" <> _ -> "#{errno} (errno #{code})"
      words -> words
    end
  end

  @doc """
  A refused text, with the name it may have meant.

      iex> {:error, error} = Linx.Capabilities.Set.from_text("cap_chown,cap_kil=p")
      iex> Linx.CLI.Failure.in_text(error)
      "expected a capability name, `all` or a number below 64 at byte 10, found \\"cap_kil=p\\"; did you mean cap_kill?"
  """
  @spec in_text(TextError.t()) :: String.t()
  def in_text(%TextError{} = error) do
    word = ~r/\A\w+/ |> Regex.run(error.found) |> List.wrap() |> List.first("")
    Exception.message(error) <> CapNames.suggestion(word)
  end
end
