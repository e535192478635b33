defmodule Linx.CLI.Files do
  @moduledoc false
  # What `mix linx.getcap` and `mix linx.setcap` do with the capabilities of files.

  alias Linx.Capabilities.{Error, Set}
  alias Linx.Capabilities.File, as: CapFile
  alias Linx.CLI.{Failure, Json, Task, Terminal}

  @max_id 0xFFFF_FFFF

  @doc "Prints the capabilities of files; the exit status."
  @spec get({keyword(), [String.t()]}) :: Task.outcome()
  def get({_switches, []}), do: {:usage, "no file to look at"}

  def get({switches, paths}) do
    results = Stream.flat_map(paths, &look(&1, switches[:recursive]))

    if switches[:json],
      do: results |> Enum.to_list() |> objects(),
      else: results |> Enum.map(&line/1) |> status()
  end

  @doc "Gives capabilities to files or takes them away; the exit status."
  @spec set({keyword(), [String.t()]}) :: Task.outcome()
  def set({switches, arguments}) do
    case {switches[:remove], switches[:rootid], arguments} do
      {true, nil, [_ | _] = paths} -> change(paths, &CapFile.remove/1)
      {true, nil, []} -> {:usage, "no file to change"}
      {true, _, _} -> {:usage, "-r and -n exclude each other"}
      {_, _, []} -> {:usage, "no text of capabilities"}
      {_, _, [_text]} -> {:usage, "no file to change"}
      {_, rootid, [text | paths]} -> give(text, rootid || 0, paths)
    end
  end

  defp give(_text, rootid, _paths) when rootid not in 0..@max_id,
    do: {:usage, "no user id: #{rootid}"}

  defp give(text, rootid, paths) do
    case Set.from_text(text) do
      {:ok, set} -> change(paths, &CapFile.set(&1, %{set | ns_owner: rootid}))
      {:error, error} -> {:usage, Failure.in_text(error)}
    end
  end

  defp change(paths, operation) do
    paths
    |> Enum.map(fn path ->
      case operation.(path) do
        :ok -> 0
        {:error, error} -> failed("linx.setcap", error)
      end
    end)
    |> status()
  end

  # What there is to say about a path, and with `recursive` about what is below it.
  defp look(path, recursive) do
    case CapFile.get(path) do
      {:ok, set} -> [{path, set}]
      {:error, %Error{errno: :enodata}} -> []
      {:error, %Error{errno: :eisdir}} when recursive -> below(path)
      {:error, error} -> [error]
    end
  end

  defp below(directory) do
    case :file.list_dir_all(directory) do
      {:ok, names} ->
        names
        |> Enum.map(&IO.chardata_to_string/1)
        |> Enum.sort()
        |> Stream.flat_map(&within(Path.join(directory, &1)))

      {:error, errno} ->
        [Error.from_posix(directory, :get_file, errno)]
    end
  end

  # Nobody asked for these by name: links are not followed, and what cannot have capabilities is passed over.
  defp within(path) do
    case CapFile.get(path) do
      {:ok, set} -> [{path, set}]
      {:error, %Error{errno: :eisdir}} -> below(path)
      {:error, %Error{errno: :eacces} = error} -> [error]
      {:error, _nothing_to_tell} -> []
    end
  end

  defp line({path, set}) do
    IO.puts([Terminal.printable(path), " ", Set.to_text(set), rootid(set.ns_owner)])
    0
  end

  defp line(error), do: failed("linx.getcap", error)

  # As `getcap -n` prints it.
  defp rootid(0), do: ""
  defp rootid(uid), do: " [rootid=#{uid}]"

  defp objects(results) do
    {found, errors} = Enum.split_with(results, &is_tuple/1)

    objects =
      for {path, set} <- found, do: [path: path, text: Set.to_text(set), rootid: set.ns_owner]

    IO.puts(Json.encode(objects))
    errors |> Enum.map(&failed("linx.getcap", &1)) |> status()
  end

  defp failed(task, error) do
    Task.complain(task, Failure.at_path(error))
    1
  end

  defp status(statuses), do: Enum.max(statuses, fn -> 0 end)
end
