defmodule Linx.Capabilities.Execve.Program do
  @moduledoc false
  # What is executed: from a path or a description to the file as the rules see it.

  alias Linx.Capabilities.{Error, Set}
  alias Linx.Capabilities.Execve.Task
  alias Linx.Native

  @ids 0..0xFFFF_FFFE
  @keys [:caps, :mode, :uid, :gid, :nosuid, :foreign_namespace]

  @type t :: %{program: Native.program(), interpreters: [binary()]}

  @spec new(Path.t() | map() | keyword(), Task.place()) :: {:ok, t()} | {:error, term()}
  def new(path, place) when is_binary(path) do
    absolute = absolute(path, place)

    case Native.exec_file(place.root, absolute) do
      {:ok, {program, interpreters}} -> {:ok, %{program: program, interpreters: interpreters}}
      {:error, errno} -> {:error, Error.from_posix(absolute, :execve, errno)}
    end
  end

  def new(file, _place) when is_map(file) and not is_struct(file),
    do: file |> Map.to_list() |> described()

  def new(file, _place) do
    if Keyword.keyword?(file), do: described(file), else: {:error, {:bad_file, file}}
  end

  defp absolute("", _place), do: ""
  defp absolute(path, %{cwd: nil}), do: Path.absname(path)
  defp absolute(path, %{cwd: cwd}), do: Path.absname(path, cwd)

  defp described(fields) do
    with :ok <- check(fields),
         {:ok, file_caps} <- file_caps(fields[:caps]) do
      program = %{
        file_caps: file_caps,
        owner: Keyword.get(fields, :uid, 0),
        group: Keyword.get(fields, :gid, 0),
        mode: Keyword.get(fields, :mode, 0o755),
        nosuid: Keyword.get(fields, :nosuid, false),
        foreign_namespace: Keyword.get(fields, :foreign_namespace, false)
      }

      {:ok, %{program: program, interpreters: []}}
    end
  end

  defp check([]), do: :ok
  defp check([{key, _value} | _]) when key not in @keys, do: {:error, {:unknown_file_key, key}}

  defp check([{key, value} | rest]) do
    if valid?(key, value), do: check(rest), else: {:error, {:bad_file, {key, value}}}
  end

  defp valid?(:caps, caps), do: is_nil(caps) or is_binary(caps) or is_struct(caps, Set)
  defp valid?(:mode, mode), do: is_integer(mode) and mode in 0..0o7777
  defp valid?(key, id) when key in [:uid, :gid], do: is_integer(id) and id in @ids
  defp valid?(_flag, value), do: is_boolean(value)

  defp file_caps(nil), do: {:ok, nil}

  defp file_caps(text) when is_binary(text) do
    with {:ok, set} <- Set.from_text(text), do: file_caps(set)
  end

  defp file_caps(%Set{} = set) do
    case Native.file_sets(Set.to_masks(set)) do
      {:ok, {permitted, inheritable, effective, _rootid}} ->
        {:ok, {permitted, inheritable, effective, set.ns_owner}}

      {:error, _einval} ->
        {:error, {:bad_file, {:caps, set}}}
    end
  end
end
