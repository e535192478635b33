defmodule Linx.Run.User do
  @moduledoc false
  # Users as the system knows them: `getent(1)` asks every source in `nsswitch.conf(5)`, not
  # just `/etc/passwd`.

  @enforce_keys [:uid, :gid, :groups]
  defstruct [:uid, :gid, :groups]

  @type t :: %__MODULE__{uid: id(), gid: id(), groups: [id()]}
  @type id :: 0..4_294_967_294

  # 4294967295 is -1: "leave it unchanged" to the kernel.
  @highest 4_294_967_294

  @doc """
  Finds a user by name or number. A number that nobody has is a user of its own, whose
  group has the same number.

      iex> Linx.Run.User.find("root")
      {:ok, %Linx.Run.User{uid: 0, gid: 0, groups: [0]}}
      iex> Linx.Run.User.find("4294967295")
      {:error, "no user id: 4294967295"}
      iex> Linx.Run.User.find("no-such-user")
      {:error, "unknown user no-such-user"}
  """
  @spec find(String.t()) :: {:ok, t()} | {:error, String.t()}
  def find(name) do
    with {:ok, number} <- number(name) do
      case entry(name) do
        {:ok, user} -> {:ok, user}
        :error when number != nil -> {:ok, %__MODULE__{uid: number, gid: number, groups: []}}
        :error -> {:error, "unknown user #{name}"}
      end
    end
  end

  defp number(name) do
    case Integer.parse(name) do
      {id, ""} when id in 0..@highest -> {:ok, id}
      {_, ""} -> {:error, "no user id: #{name}"}
      _ -> {:ok, nil}
    end
  end

  defp entry(name) do
    with {:ok, line} <- ask("getent", ["--", "passwd", name]),
         [login, _password, uid, gid | _] <- String.split(line, ":"),
         {:ok, groups} <- ask("id", ["-G", "--", login]) do
      {:ok,
       %__MODULE__{
         uid: String.to_integer(uid),
         gid: String.to_integer(gid),
         groups: groups |> String.split() |> Enum.map(&String.to_integer/1)
       }}
    else
      _ -> :error
    end
  end

  # A NUL in an argument raises in System.cmd/3; a command line cannot hold one.
  defp ask(program, args) do
    with path when is_binary(path) <- System.find_executable(program),
         {output, 0} <- System.cmd(path, args, stderr_to_stdout: true) do
      {:ok, String.trim(output)}
    else
      _ -> :error
    end
  end
end
