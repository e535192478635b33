defmodule Linx.CLI.Decode do
  @moduledoc false
  # What `mix linx.decode` says: masks as names, texts as masks, and what each capability permits.

  import Bitwise

  alias Linx.Capabilities.{Constants, IAB, Members, Set}
  alias Linx.CLI.{CapNames, Descriptions, Failure, Json, Table, Task, Terminal}
  alias Linx.Native

  @mask_digits 16

  @typedoc "What a word means: a text, and its masks, each with a name; that of a bare mask is `:mask`."
  @type meaning :: %{
          text: String.t(),
          masks: [{atom(), non_neg_integer()}],
          rootid: non_neg_integer()
        }

  @doc "Decodes words; the exit status."
  @spec run({keyword(), [String.t()]}) :: Task.outcome()
  def run({_switches, words}) when words in [[], [""]], do: {:usage, "nothing to decode"}

  def run({switches, words}) do
    Enum.reduce_while(words, {:ok, []}, fn word, {:ok, meanings} ->
      case decode(word) do
        {:ok, meaning} -> {:cont, {:ok, [meaning | meanings]}}
        {:error, sentence} -> {:halt, {:usage, "#{Terminal.printable(word)}: #{sentence}"}}
      end
    end)
    |> show(switches[:json])
  end

  defp show({:ok, meanings}, true) do
    IO.puts(meanings |> Enum.reverse() |> Enum.map(&object/1) |> Json.encode())
    0
  end

  defp show({:ok, meanings}, _table) do
    meanings |> Enum.reverse() |> Enum.map(&paragraph/1) |> Enum.intersperse("\n") |> IO.write()
    0
  end

  defp show({:usage, sentence}, _format), do: {:usage, sentence}

  @doc """
  The meaning of a word: a mask in hex, a list of names, the text of a set or of an IAB tuple, or in hex
  the attribute of a file or libcap's binary form.

      iex> {:ok, meaning} = Linx.CLI.Decode.decode("0x21")
      iex> meaning.text
      "cap_chown,cap_kill"
      iex> {:ok, meaning} = Linx.CLI.Decode.decode("kill,CAP_CHOWN")
      iex> meaning.masks
      [mask: 0x21]
      iex> {:ok, meaning} = Linx.CLI.Decode.decode("cap_chown=ip")
      iex> meaning.masks
      [effective: 0, permitted: 1, inheritable: 1]
      iex> {:ok, meaning} = Linx.CLI.Decode.decode("0100000200040000000000000000000000000000")
      iex> meaning.text
      "cap_net_bind_service=ep"
      iex> Linx.CLI.Decode.decode("cap_chwon=p")
      {:error, "expected a capability name, `all` or a number below 64 at byte 0, found \\"cap_chwon=p\\"; did you mean cap_chown?"}
  """
  @spec decode(String.t()) :: {:ok, meaning()} | {:error, String.t()}
  def decode(word) do
    digits = word |> String.downcase() |> String.replace_prefix("0x", "")

    cond do
      not (digits =~ ~r/\A[0-9a-f]+\z/) -> text(word)
      byte_size(digits) <= @mask_digits -> {:ok, mask(String.to_integer(digits, 16))}
      true -> bytes(Base.decode16(digits, case: :lower))
    end
  end

  defp text(word) do
    cond do
      word =~ ~r/[!^%]/ -> word |> IAB.from_text() |> tuple()
      word =~ ~r/[=+-]/ -> word |> Set.from_text() |> set()
      true -> with {:ok, caps} <- CapNames.parse([word]), do: {:ok, mask(Members.to_mask(caps))}
    end
  end

  defp bytes({:ok, bytes}) do
    case {Native.file_decode(bytes), Set.import(bytes)} do
      {{:ok, {_revision, _effective, masks, rootid}}, _} ->
        set({:ok, Set.from_masks(masks, rootid)})

      {_, {:ok, set}} ->
        set({:ok, set})

      _ ->
        {:error, "neither a mask, which has at most 16 digits, nor the attribute of a file"}
    end
  end

  defp bytes(:error), do: {:error, "an odd number of hex digits"}

  defp mask(mask), do: %{text: names(mask), masks: [mask: mask], rootid: 0}

  defp set({:ok, set}) do
    masks = for flag <- [:effective, :permitted, :inheritable], do: {flag, mask_of(set, flag)}
    {:ok, %{text: Set.to_text(set), masks: masks, rootid: set.ns_owner}}
  end

  defp set({:error, error}), do: {:error, Failure.in_text(error)}

  defp tuple({:ok, iab}) do
    masks =
      for {name, vector} <- [inheritable: :inheritable, ambient: :ambient, blocked: :bound],
          do: {name, mask_of(iab, vector)}

    {:ok, %{text: IAB.to_text(iab), masks: masks, rootid: 0}}
  end

  defp tuple({:error, error}), do: {:error, Failure.in_text(error)}

  defp mask_of(struct, field), do: struct |> Map.fetch!(field) |> Members.to_mask()

  # What is blocked permits nothing.
  defp bits(masks) do
    all = for {name, mask} <- masks, name != :blocked, reduce: 0, do: (sum -> sum ||| mask)
    for bit <- 0..63, (all >>> bit &&& 1) == 1, do: bit
  end

  defp names(mask), do: Enum.map_join(bits(mask: mask), ",", &name/1)

  defp name(bit) do
    case Constants.from_bit(bit) do
      :unknown -> Integer.to_string(bit)
      cap -> Atom.to_string(cap)
    end
  end

  defp hex(mask),
    do:
      "0x" <>
        (mask
         |> Integer.to_string(16)
         |> String.downcase()
         |> String.pad_leading(@mask_digits, "0"))

  # The first line is that of `capsh --decode`.
  defp paragraph(%{masks: [mask: mask]} = meaning) do
    [hex(mask), ?=, meaning.text, ?\n | descriptions(meaning)]
  end

  defp paragraph(meaning) do
    masks = for {name, mask} <- meaning.masks, do: [Atom.to_string(name), hex(mask)]
    rows = [["text", meaning.text] | masks] ++ rootid(meaning.rootid)
    [rows |> Table.align() |> Enum.map(&[&1, ?\n]) | descriptions(meaning)]
  end

  defp rootid(0), do: []
  defp rootid(uid), do: [["rootid", Integer.to_string(uid)]]

  defp descriptions(meaning), do: for(bit <- bits(meaning.masks), do: [?\n | description(bit)])

  defp description(bit) do
    case Constants.from_bit(bit) do
      :unknown ->
        "#{bit}\n    A capability that Linx has no name for: the kernel it is from is newer.\n"

      cap ->
        %{permits: permits, as_good_as_root: how} = Descriptions.of(cap)

        [
          Terminal.format([:bright, "#{cap}", :reset, " (#{bit})\n    ", permits, ?\n])
          | warning(how)
        ]
    end
  end

  defp warning(nil), do: []

  defp warning(how),
    do: Terminal.format(["    ", :yellow, "As good as root: ", how, ".", :reset, ?\n])

  defp object(meaning) do
    masks = for {name, mask} <- meaning.masks, do: {name, hex(mask)}

    [
      text: meaning.text,
      masks: masks,
      rootid: meaning.rootid,
      capabilities: Enum.map(bits(meaning.masks), &capability/1)
    ]
  end

  defp capability(bit) do
    case Constants.from_bit(bit) do
      :unknown -> [bit: bit, name: nil]
      cap -> [bit: bit, name: cap] ++ Map.to_list(Descriptions.of(cap))
    end
  end
end
