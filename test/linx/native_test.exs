defmodule Linx.NativeTest do
  # Not async: it counts the VM's descriptors and loads the library anew.
  use ExUnit.Case

  alias Linx.Native

  @lines "CapInh: 1\nCapPrm: 2\nCapEff: 4\nCapBnd: 8\nCapAmb: 10\n"
  @masks {4, 2, 1, 8, 0x10}

  setup do
    path = Path.join(System.tmp_dir!(), "linx-native-#{System.pid()}")
    on_exit(fn -> File.rm(path) end)
    %{path: path}
  end

  test "read_status/1 keeps the errno", %{path: path} do
    assert Native.read_status(path) == {:error, 2}
    assert Native.read_status(System.tmp_dir!()) == {:error, 21}
    assert Native.read_status("/proc/self/status/x") == {:error, 20}
    assert Native.read_status("/proc/se\0lf/status") == {:error, 22}
    assert Native.read_status(String.duplicate("x", 5000)) == {:error, 36}
  end

  test "read_status/1 finds the sets behind a long list of groups", %{path: path} do
    for size <- [0, 4000, 4096, 5000, 700_000] do
      File.write!(path, "Groups:\t" <> String.duplicate("1 ", div(size, 2)) <> "\n" <> @lines)
      assert Native.read_status(path) == {:ok, @masks}
    end
  end

  test "read_status/1 refuses a file that is no status", %{path: path} do
    File.write!(path, @lines <> String.duplicate("x", 1_048_576))
    assert Native.read_status(path) == {:error, :bad_status}
    File.write!(path, "")
    assert Native.read_status(path) == {:error, :bad_status}
  end

  test "read_status/1 leaves no descriptor open", %{path: path} do
    before = length(File.ls!("/proc/self/fd"))
    File.write!(path, @lines)

    for _ <- 1..500 do
      assert Native.read_status("/proc/self/status") |> elem(0) == :ok
      assert Native.read_status(path) == {:ok, @masks}
      assert Native.read_status("/proc/0/status") == {:error, 2}
    end

    assert length(File.ls!("/proc/self/fd")) < before + 100
  end

  test "parse_status/1 has the bound of read_status/1" do
    assert Native.parse_status(@lines <> String.duplicate("x", 1_000_000)) == {:ok, @masks}

    assert Native.parse_status(@lines <> String.duplicate("x", 1_048_576)) ==
             {:error, :bad_status}
  end

  test "bad terms are badarg" do
    assert_raise ArgumentError, fn -> Native.read_status(~c"/proc/self/status") end
    assert_raise ArgumentError, fn -> Native.parse_status(:status) end
    assert_raise ArgumentError, fn -> Native.add_caps([], -1) end
    assert Native.add_caps(:cap_chown, 0) == {:error, :improper_list}
  end

  test "the module can be loaded anew, as a recompilation does" do
    assert Native.supported?()

    for _ <- 1..3 do
      :code.purge(Native)
      true = :code.delete(Native)
      assert {:module, Native} = :code.load_file(Native)
      assert Native.supported?()
      assert Native.add_caps([:cap_kill], 0) == {:ok, 0b100000}
    end
  end
end
