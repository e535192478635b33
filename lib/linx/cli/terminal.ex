defmodule Linx.CLI.Terminal do
  @moduledoc false
  # Text for people: colour only where a terminal shows it, and nothing from outside that could steer one.

  @doc """
  Formats as `IO.ANSI.format/2`, without colours unless standard output is a terminal.
  `NO_COLOR` in the environment turns them off, too.

      iex> Linx.CLI.Terminal.format([:red, "hot"]) |> IO.iodata_to_binary() |> String.contains?("hot")
      true
  """
  @spec format(IO.ANSI.ansidata()) :: IO.chardata()
  def format(data), do: IO.ANSI.format(data, colours?())

  @doc ~S"""
  A name from outside, such as a process's or a file's, with control characters and bytes that are no UTF-8 escaped.

      iex> Linx.CLI.Terminal.printable("a\e[31mb\n" <> <<0xFF>>)
      "a\\x1B[31mb\\x0A\\xFF"
  """
  @spec printable(binary()) :: String.t()
  def printable(text), do: text |> escape() |> IO.iodata_to_binary()

  defp escape(<<char::utf8, rest::binary>>) do
    if String.printable?(<<char::utf8>>) and char not in ?\a..?\r and char != ?\e,
      do: [<<char::utf8>> | escape(rest)],
      else: [for(<<(byte <- <<char::utf8>>)>>, do: hex(byte)) | escape(rest)]
  end

  defp escape(<<byte, rest::binary>>), do: [hex(byte) | escape(rest)]
  defp escape(<<>>), do: []

  defp hex(byte), do: ["\\x", byte |> Integer.to_string(16) |> String.pad_leading(2, "0")]

  defp colours?, do: System.get_env("NO_COLOR", "") == "" and match?({:ok, _}, :io.columns())
end
