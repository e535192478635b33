defmodule Linx.Capabilities.IABTest do
  use ExUnit.Case, async: true

  import Linx.TestCapTexts, only: [members: 0]

  alias Linx.Capabilities
  alias Linx.Capabilities.{Constants, IAB, Set, TextError}

  doctest Linx.Capabilities.IAB

  @vectors [:inheritable, :ambient, :bound]

  test "ambient stays within inheritable, whatever is done" do
    for _ <- 1..100 do
      Enum.reduce(1..20, IAB.new(), fn _, iab ->
        {vector, caps, raised?} = {Enum.random(@vectors), members(), Enum.random([true, false])}
        next = IAB.set_vector(iab, vector, caps, raised?)

        assert Enum.all?(caps, &(IAB.get_vector(next, vector, &1) == raised?))
        assert MapSet.subset?(next.ambient, next.inheritable)
        assert IAB.compare(iab, next) -- touched(vector, raised?) == []
        next
      end)
    end
  end

  defp touched(:bound, _raised?), do: [:bound]
  defp touched(:ambient, false), do: [:ambient]
  defp touched(:inheritable, true), do: [:inheritable]
  defp touched(_vector, _raised?), do: [:inheritable, :ambient]

  test "a tuple made by hand without that bond is put right" do
    iab = %IAB{ambient: MapSet.new([:cap_kill])}
    assert to_string(iab) == "^cap_kill"
    assert IAB.to_masks(iab) == {0b100000, 0b100000, 0}
    assert IAB.set_vector(iab, :bound, [], true).inheritable == MapSet.new([:cap_kill])
  end

  test "fill/4 replaces a vector, and inverts the bound one" do
    set = Set.new(permitted: [:cap_kill, :cap_chown], inheritable: [:cap_kill])

    iab =
      IAB.new()
      |> IAB.set_vector(:ambient, [:cap_chown], true)
      |> IAB.fill(:inheritable, set, :inheritable)

    assert to_string(iab) == "cap_kill"
    assert to_string(IAB.fill(iab, :ambient, set, :permitted)) == "^cap_chown,^cap_kill"

    blocked = IAB.fill(iab, :bound, set, :permitted).bound
    kernel = MapSet.new(0..last_cap(), &named/1)
    assert blocked == MapSet.difference(kernel, set.permitted)
  end

  test "bad vectors, flags and capabilities raise" do
    assert_raise FunctionClauseError, fn -> IAB.set_vector(IAB.new(), :bounding, [], true) end
    assert_raise FunctionClauseError, fn -> IAB.set_vector(IAB.new(), :bound, [], 1) end
    assert_raise FunctionClauseError, fn -> IAB.fill(IAB.new(), :bound, Set.new(), :bounding) end
    assert_raise ArgumentError, fn -> IAB.get_vector(IAB.new(), :bound, :cap_nope) end
    assert_raise FunctionClauseError, fn -> IAB.from_pid(0) end
  end

  test "texts read back" do
    for _ <- 1..300 do
      iab = Enum.reduce(@vectors, IAB.new(), &IAB.set_vector(&2, &1, known_members(), true))
      assert IAB.from_text(to_string(iab)) == {:ok, iab}
    end
  end

  test "each refusal of a text" do
    for {text, position} <- [
          {"all", 0},
          {"cap_kill,", 9},
          {",cap_kill", 0},
          {"cap_kill, cap_chown", 9},
          {"!", 1},
          {"cap_kill=ep", 8},
          {"64", 0},
          {"010", 0},
          {"cap_kill\xFF", 8},
          {String.duplicate("!", 1_000_000), 65_536}
        ] do
      assert {:error, %TextError{position: ^position}} = IAB.from_text(text)
    end
  end

  @tag :root
  test "a text means to capsh what it means here" do
    {:ok, %{bound: blocked}} = IAB.from_pid(:self)
    free = MapSet.to_list(MapSet.difference(Constants.all(), blocked))

    for _ <- 1..60 do
      text = Enum.map_join(1..Enum.random(1..6), ",", fn _ -> item(free) end)
      {output, 0} = System.cmd("capsh", ["--iab=" <> text, "--current"])
      [_, theirs] = Regex.run(~r/^Current IAB: (.*)$/m, output)
      {:ok, ours} = IAB.from_text(text)
      # Nothing gives back what the bounding set of this VM lacks.
      assert to_string(IAB.set_vector(ours, :bound, blocked, true)) == theirs, text
    end
  end

  @tag :root
  test "from_pid/1 tells of any process what getpcaps does" do
    {:ok, state} = Capabilities.read(:self)
    held = MapSet.to_list(state.permitted)

    pids =
      for _ <- 1..12 do
        {:ok, session} = Linx.Process.spawn(argv: ["true"])
        {:ok, pid} = Linx.Process.host_pid(session)
        on_exit(fn -> Linx.Process.abort(session) end)
        inheritable = Enum.take_random(held, 6)

        :ok =
          Capabilities.set_thread_sets(session,
            effective: held,
            permitted: held,
            inheritable: inheritable
          )

        :ok = Capabilities.set_ambient(session, Enum.take_random(inheritable, 3))
        :ok = Capabilities.drop_bounding(session, Enum.take_random(held, 4))
        pid
      end

    tuples =
      for pid <- pids do
        {:ok, iab} = IAB.from_pid(pid)
        iab
      end

    {output, 0} =
      System.cmd("getpcaps", ["--iab" | Enum.map(pids, &to_string/1)], stderr_to_stdout: true)

    theirs = for [_, text] <- Regex.scan(~r/\[(.*)\]$/m, output), do: text
    assert Enum.map(tuples, &to_string/1) == theirs
    assert Enum.all?(tuples, &(MapSet.size(&1.ambient) == 3))
  end

  defp item(caps) do
    cap = Enum.random(caps)
    name = Enum.random([to_string(cap), to_string(Constants.to_bit(cap))])
    Enum.random(["", "!", "^", "%", "!^", "!%", "%^!"]) <> name
  end

  defp known_members, do: Enum.reject(members(), &(is_integer(&1) and &1 > last_cap()))

  defp named(bit) do
    with :unknown <- Constants.from_bit(bit), do: bit
  end

  defp last_cap do
    "/proc/sys/kernel/cap_last_cap" |> File.read!() |> String.trim() |> String.to_integer()
  end
end
