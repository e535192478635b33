defmodule Linx.Capabilities.SetTest do
  use ExUnit.Case, async: true

  import Linx.TestCapTexts

  alias Linx.Capabilities.{Constants, Set, State, TextError}

  doctest Linx.Capabilities.Set
  doctest Linx.Capabilities.TextError

  @flags [:effective, :permitted, :inheritable]

  test "new/1 takes flags, an owner and a state, and nothing else" do
    set = Set.new(inheritable: [:cap_kill, 63, 5], ns_owner: 7)
    assert set.inheritable == MapSet.new([:cap_kill, 63])
    assert set.ns_owner == 7

    state = %State{effective: MapSet.new([:cap_kill]), bounding: Constants.all()}
    assert to_string(Set.new(state)) == "cap_kill=e"

    for bad <- [
          [bounding: []],
          [permitted: [:cap_nope]],
          [permitted: [64]],
          [permitted: [-1]],
          [permitted: "cap_chown"],
          [permitted: ["cap_chown"]],
          [ns_owner: -1],
          [ns_owner: 0x1_0000_0000],
          [:permitted]
        ] do
      assert_raise ArgumentError, fn -> Set.new(bad) end
    end
  end

  test "a flag holds what was set last" do
    for _ <- 1..200 do
      {set, flag, caps} = {set(), Enum.random(@flags), members()}

      {raised, lowered} =
        {Set.set_flag(set, flag, caps, true), Set.set_flag(set, flag, caps, false)}

      for bit <- 0..63 do
        cap = with :unknown <- Constants.from_bit(bit), do: bit
        listed? = cap in caps
        assert Set.get_flag(raised, flag, bit) == (listed? or Set.get_flag(set, flag, cap))
        assert Set.get_flag(lowered, flag, cap) == (not listed? and Set.get_flag(set, flag, bit))
      end

      for other <- @flags -- [flag] do
        assert Map.fetch!(raised, other) == Map.fetch!(set, other)
      end
    end
  end

  test "compare/2 names the flags that a change changed" do
    for _ <- 1..200 do
      {one, other} = {set(), set()}
      differing = Enum.filter(@flags, &(Map.fetch!(one, &1) != Map.fetch!(other, &1)))
      assert Set.compare(one, other) == differing

      merged = Enum.reduce(differing, one, &Set.fill_flag(&2, &1, other, &1))
      assert Set.compare(merged, other) == []
    end

    assert Set.compare(Set.new(ns_owner: 1), Set.new()) == []
  end

  test "a bad flag is none" do
    for bad <- [:bounding, "permitted", nil] do
      assert_raise FunctionClauseError, fn -> Set.get_flag(Set.new(), bad, :cap_kill) end
      assert_raise FunctionClauseError, fn -> Set.set_flag(Set.new(), bad, [], true) end
      assert_raise FunctionClauseError, fn -> Set.fill(Set.new(), bad, :permitted) end
      assert_raise FunctionClauseError, fn -> Set.clear_flag(Set.new(), bad) end
    end
  end

  test "texts and binaries read back" do
    for _ <- 1..500 do
      set = set()
      assert Set.from_text(to_string(set)) == {:ok, set}
      assert Set.import(Set.export(set)) == {:ok, set}
      assert Set.import(Set.export(set, 0)) == {:ok, set}
    end
  end

  test "each refusal of a binary" do
    magic = <<0x90, 0xC2, 0x01, 0x51>>
    assert Set.import("") == {:error, {:too_short, 0}}
    assert Set.import(<<0, magic::binary>>) == {:error, :bad_magic}
    assert Set.import(<<magic::binary, 1, 0, 0>>) == {:error, {:too_short, 7}}
    assert Set.import(<<magic::binary, 0, 0, 0>>) == {:error, {:trailing, 2}}
    assert Set.import(<<magic::binary, 9, 0::216>>) == {:error, {:out_of_range, 9}}

    assert Set.import(<<magic::binary, 0>> <> <<0::8_000_000>>) ==
             {:error, {:trailing, 1_000_000}}

    assert_raise FunctionClauseError, fn -> Set.export(Set.new(), 9) end
  end

  test "an error tells where, what was expected, and what is there" do
    for {text, position, expected, found} <- [
          {"cap_chown", 9, "`,`, `=`, `+` or `-`", ""},
          {"cap_chown+", 10, "a flag: `e`, `i` or `p`", ""},
          {"=ep ?", 4, "a list of capabilities or `=`", "?"},
          {"cap_chown=e\xFFp", 11, "a flag, `+`, `-`, a space or the end", "\xFFp"},
          {"cap_chöwn=e", 0, "a capability name, `all` or a number below 64", "cap_chöwn=e"},
          {"cap_chown,64=e", 10, "a capability name, `all` or a number below 64", "64=e"},
          {"=p+e", 2, "a flag, a space or the end", "+e"},
          {"cap_\0chown=p", 0, "a capability name, `all` or a number below 64", "cap_\0chown=p"}
        ] do
      assert {:error, %TextError{} = error} = Set.from_text(text)
      assert {error.position, error.expected, error.found} == {position, expected, found}
      assert Exception.message(error) =~ "expected #{expected} at byte #{position}, found "
    end
  end

  test "a text too long is refused, and one just short enough is read" do
    for tail <- [String.duplicate("a", 1_000_000), String.duplicate("\xFF", 1_000_000)] do
      assert {:error, %TextError{position: 65_536} = error} = Set.from_text("=" <> tail)
      assert byte_size(error.found) <= 20
    end

    longest = String.pad_trailing("cap_kill=p", 65_536)
    assert Set.from_text(longest) == {:ok, Set.new(permitted: [:cap_kill])}

    assert {:error, %TextError{position: 10}} =
             Set.from_text("cap_kill=p" <> String.duplicate("\xFF", 65_000))
  end

  test "inspected it shows the owner, in a text it does not" do
    set = Set.new(permitted: [:cap_kill], ns_owner: 1000)
    assert inspect(set) == "#Linx.Capabilities.Set<cap_kill=p [rootid=1000]>"
    assert "#{set}" == "cap_kill=p"
  end

  test "a mask means to capsh what it means here" do
    sets = for _ <- 1..300, do: Set.new(permitted: members())
    args = for set <- sets, do: "--decode=" <> Integer.to_string(mask(set), 16)
    {output, 0} = System.cmd("capsh", args)

    for {set, line} <- Enum.zip(sets, String.split(output, "\n", trim: true)) do
      [_mask, names] = String.split(line, "=")
      assert Set.from_text(names <> "=p") == {:ok, set}
    end
  end

  defp mask(set) do
    <<_magic::40, rows::binary>> = Set.export(set)
    for(<<_e, byte, _i <- rows>>, into: <<>>, do: <<byte>>) |> :binary.decode_unsigned(:little)
  end
end
