defmodule Linx.Capabilities.FileTest do
  use ExUnit.Case, async: true

  import Linx.TestCapTexts

  alias Linx.Capabilities.{Error, Set, TextError}
  alias Linx.Capabilities.File, as: CapFile

  doctest Linx.Capabilities.File

  setup do
    directory =
      Path.join(
        System.tmp_dir!(),
        "linx-file-#{System.pid()}-#{System.unique_integer([:positive])}"
      )

    File.mkdir_p!(directory)
    on_exit(fn -> File.rm_rf!(directory) end)
    {:ok, directory: directory, path: touch(directory, "file")}
  end

  describe "errors" do
    test "of paths that are no regular file", %{directory: directory, path: path} do
      link = Path.join(directory, "link")
      fifo = Path.join(directory, "fifo")
      File.ln_s!(path, link)
      {_, 0} = System.cmd("mkfifo", [fifo])

      for {bad, errno} <- [
            {link, :eloop},
            {directory, :eisdir},
            {fifo, :einval},
            {"/dev/null", :einval},
            {Path.join(directory, "none"), :enoent},
            {Path.join(path, "x"), :enotdir},
            {path <> "\0", :einval},
            {"", :enoent},
            {String.duplicate("x", 300), :enametoolong}
          ] do
        for {operation, run} <- operations() do
          assert {:error, %Error{path: ^bad, operation: ^operation, errno: ^errno, code: code}} =
                   run.(bad)

          assert is_integer(code)
        end
      end
    end

    test "of a file system without a place for them" do
      assert {:error, %Error{errno: :eopnotsupp, code: 95}} = CapFile.get("/proc/self/status")
    end

    test "of a file that has none", %{path: path} do
      assert {:error, %Error{operation: :get_file, errno: :enodata}} = CapFile.get(path)
      assert {:error, %Error{operation: :get_file, errno: :enodata}} = CapFile.get_attribute(path)
    end

    test "of a text that is none, before the path is looked at" do
      assert {:error, %TextError{position: 0}} = CapFile.set("/nowhere", "chown=p")
    end

    test "of a set that is effective in part, before the path is looked at" do
      for text <- ["cap_chown=ep cap_kill=p", "cap_chown=ep cap_kill=i", "cap_chown=p cap_kill=e"] do
        assert {:error, %Error{operation: :set_file, errno: :einval}} =
                 CapFile.set("/nowhere", text)
      end
    end

    test "a path may be any chardata, but nothing else", %{directory: directory} do
      assert {:error, %Error{path: path, errno: :enodata}} = CapFile.get([directory, ?/, "file"])
      assert path == Path.join(directory, "file")
      assert_raise FunctionClauseError, fn -> CapFile.get(:file) end
    end
  end

  describe "attributes" do
    test "of every revision are read" do
      for {bytes, revision, rootid} <- [
            {<<0x01000001::little-32, 5::little-32, 2::little-32>>, 1, 0},
            {<<0x02000001::little-32, 5::little-32, 2::little-32, 0::64>>, 2, 0},
            {<<0x03000001::little-32, 5::little-32, 2::little-32, 0::64, 1000::little-32>>, 3,
             1000}
          ] do
        assert CapFile.decode_attribute(bytes) ==
                 {:ok,
                  %{
                    revision: revision,
                    effective: true,
                    permitted: MapSet.new([:cap_chown, :cap_dac_read_search]),
                    inheritable: MapSet.new([:cap_dac_override]),
                    rootid: rootid
                  }}

        assert CapFile.decode_attribute(bytes <> <<0>>) == {:error, :bad_attribute}
        assert CapFile.decode_attribute(binary_part(bytes, 0, 11)) == {:error, :bad_attribute}
      end

      assert CapFile.decode_attribute(<<0x04000000::little-32, 0::128>>) ==
               {:error, :bad_attribute}

      assert CapFile.decode_attribute(<<0x02000002::little-32, 0::128>>) ==
               {:error, :bad_attribute}
    end

    @tag :root
    test "show what a set does not", %{path: path} do
      :ok = CapFile.set(path, Set.new(permitted: [:cap_kill], ns_owner: 1000))
      assert {:ok, %{revision: 3, rootid: 1000, effective: false}} = CapFile.get_attribute(path)
      assert {:ok, %Set{ns_owner: 1000}} = CapFile.get(path)
      :ok = CapFile.set(path, "=")
      assert {:ok, %{revision: 2, rootid: 0, effective: false}} = CapFile.get_attribute(path)
      assert CapFile.get(path) == {:ok, Set.new()}
    end
  end

  describe "as libcap's tools have it" do
    @describetag :root

    test "what is set is what getcap shows and setcap -v finds", %{directory: directory} do
      sets =
        for number <- 1..300, into: %{} do
          path = touch(directory, number)
          set = %{file_set() | ns_owner: Enum.random([0, 0, 1, 65_534])}
          assert CapFile.set(path, set) == :ok
          assert CapFile.get(path) == {:ok, set}
          {path, set}
        end

      {output, 0} = System.cmd("getcap", ["-n" | Map.keys(sets)])

      shown =
        Map.new(
          String.split(output, "\n", trim: true),
          &List.to_tuple(String.split(&1, " ", parts: 2))
        )

      assert shown == Map.new(sets, fn {path, set} -> {path, text(set)} end)

      # setcap's -n holds for all files that follow it.
      for {owner, pairs} <- Enum.group_by(sets, fn {_path, set} -> set.ns_owner end) do
        args = for {path, set} <- pairs, arg <- [to_string(set), path], do: arg
        owner = if owner == 0, do: [], else: ["-n", to_string(owner)]
        # Some versions print a word of their own when they agree.
        assert {_, 0} = System.cmd("setcap", ["-q", "-v"] ++ owner ++ args)
      end
    end

    test "a text means to setcap what it means here", %{directory: directory} do
      texts = for text <- Stream.repeatedly(&text/0) |> Enum.take(1500), exact?(text), do: text
      assert length(texts) > 300
      paths = for {text, number} <- Enum.with_index(texts), do: {touch(directory, number), text}

      {output, status} =
        System.cmd("setcap", Enum.flat_map(paths, fn {path, text} -> [text, path] end))

      assert {output, status} == {"", 0}

      for {path, text} <- paths do
        {:ok, set} = Set.from_text(text)
        assert CapFile.get(path) == {:ok, stored(set)}, text
      end
    end

    test "what setcap refuses is refused", %{path: path} do
      refused = for _ <- 1..150, text = near_miss(), not storable?(text), do: text
      assert length(refused) > 20

      for text <- refused do
        {_, status} = System.cmd("setcap", ["-q", text, path], stderr_to_stdout: true)
        assert status != 0, text
        assert {:error, _} = CapFile.set(path, text)
      end
    end

    test "remove/1 leaves nothing behind", %{path: path} do
      {_, 0} = System.cmd("setcap", ["cap_kill=ep", path])
      assert CapFile.remove(path) == :ok
      assert System.cmd("getcap", [path]) == {"", 0}
      assert {:error, %Error{operation: :remove_file, errno: :enodata}} = CapFile.remove(path)
    end

    defp text(%{ns_owner: 0} = set), do: to_string(set)
    defp text(set), do: "#{set} [rootid=#{set.ns_owner}]"
  end

  @tag :root
  test "a path that becomes a link to another file meanwhile does that file no harm", context do
    victim = touch(context.directory, "victim")
    swapper = spawn_link(fn -> swap(context.directory, context.path, victim) end)
    outcomes = race(context.path, %{}, 500_000)
    Process.unlink(swapper)
    Process.exit(swapper, :kill)

    assert {:error, %Error{errno: :enodata}} = CapFile.get(victim)
    assert outcomes[:ok] >= 5_000 and outcomes[:eloop] >= 5_000
    assert Map.keys(outcomes) -- [:ok, :eloop] == []
  end

  @tag :root
  test "an ordinary user may look and not touch", %{directory: directory, path: path} do
    File.chmod!(path, 0)
    :ok = CapFile.set(path, "cap_kill=ep")
    library = Path.join(directory, "linx")
    File.cp_r!(Application.app_dir(:linx), library)
    {_, 0} = System.cmd("chmod", ["-R", "a+rX", library])
    File.chmod!(directory, 0o755)

    script = """
    alias Linx.Capabilities.File, as: CapFile
    path = #{inspect(path)}
    {:ok, set} = CapFile.get(path)
    {:error, set_file} = CapFile.set(path, "cap_kill=p")
    {:error, remove_file} = CapFile.remove(path)
    IO.inspect({to_string(set), set_file.errno, set_file.operation, remove_file.errno, remove_file.operation})
    """

    identity = ~w(--reuid 65534 --regid 65534 --clear-groups --inh-caps -all --)

    options = [
      env: [{"ERL_LIBS", directory}, {"HOME", directory}],
      stderr_to_stdout: true,
      cd: directory
    ]

    {output, 0} = System.cmd("setpriv", identity ++ ["elixir", "-e", script], options)
    assert output == inspect({"cap_kill=ep", :eperm, :set_file, :eperm, :remove_file}) <> "\n"
    assert {:ok, %Set{}} = CapFile.get(path)
  end

  @tag :root
  test "in a user namespace, a rootid that has no id there is an overflow", %{
    directory: directory,
    path: path
  } do
    mapped = touch(directory, "mapped")
    :ok = CapFile.set(path, Set.new(permitted: [:cap_kill], ns_owner: 1000))
    :ok = CapFile.set(mapped, "cap_kill=p")

    script = """
    for path <- #{inspect([path, mapped])} do
      case Linx.Capabilities.File.get(path) do
        {:ok, set} -> IO.puts(set)
        {:error, error} -> IO.puts(error.errno)
      end
    end
    """

    ebin = Application.app_dir(:linx, "ebin")

    {output, 0} =
      System.cmd("unshare", ["--user", "--map-root-user", "elixir", "-pa", ebin, "-e", script])

    assert output == "eoverflow\ncap_kill=p\n"
  end

  defp operations do
    [
      get_file: &CapFile.get/1,
      get_file: &CapFile.get_attribute/1,
      set_file: &CapFile.set(&1, "cap_kill=p"),
      remove_file: &CapFile.remove/1
    ]
  end

  defp touch(directory, name) do
    path = Path.join(directory, to_string(name))
    File.touch!(path)
    path
  end

  # What every version of setcap takes: newer ones refuse effective capabilities beyond the two others.
  defp exact?(text), do: storable?(text) and {:ok, stored(parsed(text))} == Set.from_text(text)

  defp parsed(text) do
    {:ok, set} = Set.from_text(text)
    set
  end

  defp storable?(text) do
    case Set.from_text(text) do
      {:ok, %{effective: effective} = set} ->
        held = MapSet.union(set.permitted, set.inheritable)
        MapSet.size(effective) == 0 or MapSet.subset?(held, effective)

      {:error, _} ->
        false
    end
  end

  # What a file can hold of a set: it has nothing effective beyond the two others.
  defp stored(set) do
    held = MapSet.union(set.permitted, set.inheritable)
    %{set | effective: MapSet.intersection(set.effective, held)}
  end

  # Until both have happened often enough, or too much was tried.
  defp race(_path, outcomes, 0), do: outcomes

  defp race(_path, %{ok: ok, eloop: eloop} = outcomes, _) when ok >= 5_000 and eloop >= 5_000,
    do: outcomes

  defp race(path, outcomes, tries) do
    outcome =
      case CapFile.set(path, "cap_kill=ep") do
        :ok -> :ok
        {:error, error} -> error.errno
      end

    race(path, Map.update(outcomes, outcome, 1, &(&1 + 1)), tries - 1)
  end

  defp swap(directory, path, victim) do
    next = Path.join(directory, "next")
    File.ln_s!(victim, next)
    File.rename!(next, path)
    File.touch!(next)
    File.rename!(next, path)
    swap(directory, path, victim)
  end
end
