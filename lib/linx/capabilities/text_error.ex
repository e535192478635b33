defmodule Linx.Capabilities.TextError do
  @moduledoc """
  Why a text of capabilities was refused: by `Linx.Capabilities.Set.from_text/1` or `Linx.Capabilities.IAB.from_text/1`.

  - `position`: byte offset of what is wrong, from 0; the text's length if it ended too early
  - `expected`: what would have been right there, in words
  - `found`: what stands there, cut after 20 bytes; empty at the end of the text

  It is an exception too, for those who prefer to raise it.

      iex> {:error, error} = Linx.Capabilities.Set.from_text("cap_chown=ep cap_frob+p")
      iex> {error.position, error.expected, error.found}
      {13, "a capability name, `all` or a number below 64", "cap_frob+p"}
      iex> Exception.message(error)
      "expected a capability name, `all` or a number below 64 at byte 13, found \\"cap_frob+p\\""
  """

  @type t :: %__MODULE__{
          position: non_neg_integer(),
          expected: String.t(),
          found: binary()
        }

  @enforce_keys [:position, :expected, :found]
  defexception [:position, :expected, :found]

  @shown 20

  @doc false
  @spec new(Linx.Native.text_failure(), binary()) :: t()
  def new({position, expected}, text) do
    shown = min(@shown, byte_size(text) - position)
    # A copy: a part would keep the whole text in memory.
    found = :binary.copy(binary_part(text, position, shown))
    %__MODULE__{position: position, expected: expected, found: found}
  end

  @impl true
  def message(%__MODULE__{found: ""} = error), do: "#{summary(error)}, found the end"
  def message(error), do: "#{summary(error)}, found #{inspect(error.found, limit: @shown)}"

  defp summary(error), do: "expected #{error.expected} at byte #{error.position}"
end
