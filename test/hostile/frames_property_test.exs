defmodule Linx.Hostile.FramesPropertyTest do
  # Whatever an agent sends is a frame or none, and makes no atom. A counterexample is shrunk and printed.
  use ExUnit.Case, async: false

  alias Linx.AgentPort.Frame
  alias :proper_types, as: Types

  # Debian has it as erlang-proper. It is no dependency of the library, so Mix may keep it off the code path.
  for path <- Path.wildcard("#{:code.lib_dir()}/proper-*/ebin"), do: Code.append_path(path)
  unless Code.ensure_loaded?(:proper), do: @moduletag(skip: "erlang-proper is not installed here")

  @tries String.to_integer(System.get_env("LINX_TRIES", "20000"))

  # What is loaded when it is called for the first time brings its atoms along.
  setup_all do
    for bytes <- ["", :erlang.term_to_binary({:running, 1})], do: Frame.decode(bytes)
    :ok
  end

  test "any bytes are a frame or none" do
    holds(Types.binary(), fn bytes -> known?(decode(bytes)) end)
  end

  test "any term is a frame or none" do
    holds(value(3), fn term -> known?(decode(:erlang.term_to_binary(term))) end)
  end

  test "an event is told as it was sent if its values can be, and is none otherwise" do
    holds(event(), fn event ->
      case decode(:erlang.term_to_binary(event)) do
        {:ok, decoded} -> possible?(event) and together(decoded) == event
        :error -> not possible?(event)
        :atoms_made -> false
      end
    end)
  end

  test "an event that is cut or damaged is a frame or none" do
    damaged = Types.tuple([event(), Types.non_neg_integer(), Types.binary()])

    holds(damaged, fn {event, at, bytes} ->
      frame = :erlang.term_to_binary(event)
      {front, back} = frame |> :binary.bin_to_list() |> Enum.split(at)
      front = :binary.list_to_bin(front)
      back = :binary.list_to_bin(Enum.drop(back, 1))
      known?(decode(front)) and known?(decode(front <> bytes <> back))
    end)
  end

  defp holds(type, property) do
    options = [:quiet, :long_result, numtests: @tries]

    case :proper.quickcheck(:proper.forall(type, property), options) do
      true -> :ok
      [counterexample] -> flunk(inspect(counterexample, limit: 100))
    end
  end

  # No other test runs meanwhile.
  defp decode(bytes) do
    atoms = :erlang.system_info(:atom_count)
    answer = Frame.decode(bytes)
    if :erlang.system_info(:atom_count) == atoms, do: answer, else: :atoms_made
  end

  defp event do
    some = [0, 1, 255, 256, 18_446_744_073_709_551_615]
    id = Types.frequency([{8, Types.elements(some)}, {1, value(1)}])
    stream = Types.elements([:stdout, :stderr, :pty, :log])

    Types.oneof([
      {:ready, id, value(1), value(1)},
      {:running, id},
      {:aborted, id},
      {:output, id, stream, Types.oneof([Types.binary(), value(1)])},
      {:written, id, value(1)},
      {:synced, id, value(1)},
      {:exited, id, value(1)},
      {:signaled, id, value(1)},
      {:error, id, value(1), Types.elements([:execve, :clone, :set_uid, 1])},
      {:fault, Types.oneof([:none, id]), Types.elements([:malformed, :not_parked, "no atom"])}
    ])
  end

  # Of atoms, which are never forgotten, only those of the protocol.
  defp value(depth) do
    plain = [
      {6, Types.integer()},
      {3, Types.elements([0, 1, 64, 65, 255, 256, 4_294_967_296])},
      {1, Types.float()},
      {1, Types.bitstring()},
      {2, Types.elements(Frame.atoms())}
    ]

    nested =
      if depth == 0,
        do: [],
        else: [
          {1, Types.list(value(depth - 1))},
          {depth, Types.loose_tuple(value(depth - 1))}
        ]

    Types.frequency(plain ++ nested)
  end

  # What the protocol allows.
  defp possible?({:fault, :none, reason}), do: is_atom(reason)
  defp possible?(event), do: natural?(elem(event, 1)) and fits?(Tuple.delete_at(event, 1))

  defp fits?({:ready, host_pid, child_pid}), do: positive?(host_pid) and positive?(child_pid)
  defp fits?({word}), do: word in [:running, :aborted]
  defp fits?({:output, to, bytes}), do: to in [:stdout, :stderr, :pty] and is_binary(bytes)
  defp fits?({word, number}) when word in [:written, :synced], do: natural?(number)
  defp fits?({:exited, code}), do: code in 0..255
  defp fits?({:signaled, signal}), do: signal in 1..64
  defp fits?({:error, errno, stage}), do: natural?(errno) and is_atom(stage)
  defp fits?({:fault, reason}), do: is_atom(reason)

  defp natural?(value), do: is_integer(value) and value >= 0
  defp positive?(value), do: is_integer(value) and value > 0

  # A decoded frame as it was sent.
  defp together({:refused, reason}), do: {:fault, :none, reason}
  defp together({_kind, id, event}) when is_atom(event), do: {event, id}
  defp together({_kind, id, event}), do: Tuple.insert_at(event, 1, id)

  defp known?(:error), do: true
  defp known?(:atoms_made), do: false
  defp known?({:ok, {kind, _, _, _}}), do: kind == :hello
  defp known?({:ok, {:refused, reason}}), do: is_atom(reason)
  defp known?({:ok, {kind, id, _event}}), do: kind in [:event, :terminal] and natural?(id)
end
