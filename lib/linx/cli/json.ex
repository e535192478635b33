defmodule Linx.CLI.Json do
  @moduledoc false
  # As much of a JSON writer (RFC 8259) as a report needs, since Elixir has one only from 1.18 on.

  alias Linx.Capabilities.State
  alias Linx.CLI.Table

  @type value :: nil | boolean() | atom() | integer() | String.t() | [value()] | object()
  @type object :: [{atom(), value()}]

  @doc ~S"""
  Encodes a value; a keyword list is an object, in its own order.

      iex> IO.iodata_to_binary(Linx.CLI.Json.encode(event: :failed, tries: [1, nil], text: "\"a\"\n"))
      ~S({"event":"failed","tries":[1,null],"text":"\"a\"\u000a"})
  """
  @spec encode(value()) :: iodata()
  def encode(nil), do: "null"
  def encode(boolean) when is_boolean(boolean), do: Atom.to_string(boolean)
  def encode(atom) when is_atom(atom), do: atom |> Atom.to_string() |> encode()
  def encode(integer) when is_integer(integer), do: Integer.to_string(integer)
  def encode(string) when is_binary(string), do: [?", escape(string), ?"]

  def encode([{key, _} | _] = object) when is_atom(key) do
    [?{, object |> Enum.map(fn {k, v} -> [encode(k), ?:, encode(v)] end) |> join(), ?}]
  end

  def encode(list) when is_list(list), do: [?[, list |> Enum.map(&encode/1) |> join(), ?]]

  @doc """
  The five sets of a state as an object of lists.

      iex> state = %Linx.Capabilities.State{bounding: MapSet.new([:cap_kill, :cap_chown])}
      iex> Linx.CLI.Json.sets(state)[:bounding]
      [:cap_chown, :cap_kill]
  """
  @spec sets(State.t()) :: object()
  def sets(%State{} = state) do
    for name <- Table.set_names(), do: {name, state |> Map.fetch!(name) |> Enum.sort()}
  end

  defp join(parts), do: Enum.intersperse(parts, ?,)

  # A command line need not be UTF-8, and JSON has to be.
  defp escape(<<char::utf8, rest::binary>>), do: [escape_char(char) | escape(rest)]
  defp escape(<<_byte, rest::binary>>), do: ["\uFFFD" | escape(rest)]
  defp escape(<<>>), do: []

  defp escape_char(char) when char in [?", ?\\], do: [?\\, char]

  defp escape_char(char) when char < 0x20,
    do: ["\\u", char |> Integer.to_string(16) |> String.downcase() |> String.pad_leading(4, "0")]

  defp escape_char(char), do: <<char::utf8>>
end
