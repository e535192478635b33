defmodule Linx.ProcessFlowTest do
  use ExUnit.Case, async: true

  alias Linx.Process.{Credit, Input}

  describe "credit" do
    test "of an owner who has taken everything is given back" do
      {acked, credit} = send_to(Credit.new(idle(), :none), [40_000])
      assert acked == 0 and credit.held == 40_000
      # An owner that is gone has taken all there was.
      Process.exit(credit.owner, :kill)
      Linx.TestWorkloads.eventually(fn -> not Process.alive?(credit.owner) end)
      assert {50_000, %{held: 0}} = Credit.sent(credit, 10_000)
    end

    test "is given back for all but the messages that wait" do
      credit = Credit.new(self(), :none)
      {0, credit} = send_to(credit, [40_000])
      {0, credit} = send_to(credit, [1])
      assert_received {:linx_process, :stdout, <<_::binary-size(40_000)>>}
      # The account's note to itself, which would count as waiting here.
      assert_received {:linx_credit, :look, _timer}
      {acked, credit} = send_to(credit, [2])
      assert {acked, credit.held} == {40_000, 3}
    end

    test "never exceeds what is held" do
      credit = Credit.new(idle(), :none)
      {acked, credit} = send_to(credit, List.duplicate(65_536, 4))
      assert {acked, credit.held} == {0, 262_144}
      {acked, credit} = look(credit)
      assert {acked, credit.held} == {0, 262_144}
    end

    test "sees through the messages of others" do
      owner = idle()
      for n <- 1..10, do: send(owner, {:other, n})
      # Handed to nobody, so none of it waits.
      {0, credit} = Credit.sent(Credit.new(owner, {:tag, 1}), 50_000)
      send(owner, {:linx_process, 2, :stdout, "another's"})
      {acked, credit} = look(credit)
      assert {acked, credit.held} == {50_000, 0}
      # Known by now, they do not hold up what follows.
      assert {50_000, %{held: 0}} = Credit.sent(credit, 50_000)
    end

    test "starts anew with another owner, deaf to what was asked about the first" do
      {0, credit} = send_to(Credit.new(idle(), :none), [40_000])
      next = idle()
      assert {40_000, %{held: 0, owner: ^next} = fresh} = Credit.reset(credit, next)
      assert {0, ^fresh} = Credit.handle(fresh, {:linx_credit, :look, credit.timer})
    end

    defp idle, do: spawn_link(fn -> Process.sleep(:infinity) end)

    defp send_to(credit, sizes) do
      if credit.owner != self(), do: Process.unlink(credit.owner)

      Enum.reduce(sizes, {0, credit}, fn size, {acked, credit} ->
        send(credit.owner, {:linx_process, :stdout, :binary.copy("x", size)})
        {more, credit} = Credit.sent(credit, size)
        {acked + more, credit}
      end)
    end

    # Lets the quick looks and the closer one that they lead to take their course.
    defp look(credit, looks \\ 60) do
      assert_receive {:linx_credit, :look, _} = message, 5_000
      {acked, credit} = Credit.handle(credit, message)

      cond do
        credit.probe -> closer_look(credit, acked)
        acked > 0 or looks == 0 -> {acked, credit}
        true -> look(credit, looks - 1)
      end
    end

    defp closer_look(%{probe: probe} = credit, acked) do
      assert_receive {:linx_credit, :waiting, ^probe, _} = message, 5_000
      {more, credit} = Credit.handle(credit, message)
      {acked + more, credit}
    end
  end

  describe "input" do
    test "goes in chunks, a window of it at a time" do
      input = Input.write(%Input{}, :binary.copy("x", 600_000), :writer)
      {chunks, input} = Input.take(input)
      assert Enum.map(chunks, &byte_size/1) == List.duplicate(65_536, 4)
      assert {[], input} = Input.take(input)
      {[chunk], input} = input |> Input.written(10) |> Input.take()
      assert byte_size(chunk) == 10
      {chunks, input} = input |> Input.written(262_144) |> Input.take()
      assert chunks |> Enum.map(&byte_size/1) |> Enum.sum() == 262_144
      assert input.queued == 600_000 - 262_144 - 10 - 262_144
    end

    test "keeps its order, and closes once, after the last byte" do
      input = %Input{} |> Input.write("a", 1) |> Input.write("", 2) |> Input.write("b", 3)
      {taken, input} = input |> Input.close() |> Input.take()
      assert taken == ["a", "b", :close]
      assert {[], _input} = Input.take(input)
    end

    test "lets writers go below a mebibyte, oldest first" do
      big = :binary.copy("x", 800_000)
      assert {[1], input} = %Input{} |> Input.write(big, 1) |> Input.admitted()
      input = input |> Input.write(big, 2) |> Input.write("y", 3)
      assert {[], input} = Input.admitted(input)

      input =
        Enum.reduce(1..3, input, fn _, input ->
          {taken, input} = Input.take(input)
          Input.written(input, taken |> Enum.map(&byte_size/1) |> Enum.sum())
        end)

      assert {[2, 3], _input} = Input.admitted(input)
    end
  end
end
