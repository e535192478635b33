defmodule Linx.Capabilities.MaskTest do
  use ExUnit.Case, async: true

  alias Linx.Capabilities.{Constants, Mask, ThreadSets}

  test "the table is the one of util-linux, as far as the running kernel goes" do
    {output, 0} = System.cmd("setpriv", ["--list-caps"])
    listed = for name <- String.split(output), do: "cap_" <> name
    named = for bit <- 0..Constants.last_cap(), do: Atom.to_string(Constants.from_bit(bit))
    assert Enum.take(listed, length(named)) == Enum.take(named, length(listed))
  end

  test "any subset goes to a mask and back" do
    names = Enum.to_list(Constants.all())

    for size <- 0..41, _ <- 1..5 do
      caps = Enum.take_random(names, size)
      mask = Constants.to_bits(caps)
      assert Mask.cast(caps) == {:ok, mask}
      assert Constants.from_bits(mask) == MapSet.new(caps)
    end
  end

  test "any enumerable will do" do
    expected = {:ok, 0b100001}
    assert Mask.cast([:cap_kill, :cap_chown, :cap_kill]) == expected
    assert Mask.cast(MapSet.new([:cap_chown, :cap_kill])) == expected
    assert Mask.cast(Stream.map([0, 5], &Constants.from_bit/1)) == expected
    assert Mask.cast(Stream.take(Stream.cycle([:cap_chown, :cap_kill]), 2)) == expected
    assert Mask.cast(%{}) == {:ok, 0}
    assert Mask.cast(Constants.all()) == {:ok, Constants.known_mask()}
  end

  test "a function that is no stream is none" do
    fun = fn _ -> :ok end
    assert Mask.cast(fun) == {:error, {:bad_capability, fun}}
  end

  test "long lists are taken whole" do
    long = List.duplicate(:cap_kill, 2500)
    assert Mask.cast(long ++ [:cap_chown]) == {:ok, 0b100001}
    assert Mask.cast(long ++ [:cap_nope, "x"]) == {:error, {:bad_capability, :cap_nope}}
    improper = long ++ :cap_kill
    assert Mask.cast(improper) == {:error, {:bad_capability, improper}}

    for size <- [999, 1000, 1001] do
      assert Mask.cast(List.duplicate(:cap_chown, size)) == {:ok, 1}
    end
  end

  test "from_bits/1 leaves out what has no name" do
    assert Constants.from_bits(0xFFFF_FFFF_FFFF_FFFF) == Constants.all()
    assert Constants.from_bits(0x8000_0000_0000_0001) == MapSet.new([:cap_chown])
    assert Constants.from_bit(41) == :unknown
  end

  test "to_bits/1 raises at what is no capability" do
    for bad <- [:x, "cap_chown", 3] do
      assert_raise ArgumentError, "unknown capability atom: #{inspect(bad)}", fn ->
        Constants.to_bits([:cap_chown, bad])
      end
    end
  end

  test "thread sets are three masks or :keep" do
    sets = [inheritable: [:cap_kill], permitted: :keep, effective: MapSet.new([:cap_chown])]
    assert ThreadSets.validate(sets) == {:ok, {1, :keep, 0b100000}}
  end
end
