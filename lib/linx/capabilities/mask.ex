defmodule Linx.Capabilities.Mask do
  @moduledoc false
  # From what a caller gave as capabilities to the mask that the agent takes. Everything that goes to the agent
  # comes through here: the verbs of `Linx.Capabilities` and the `caps:` option of `Linx.Process`.

  alias Linx.Native

  @type t :: non_neg_integer()
  @type error :: {:error, {:bad_capability, term()}}

  # The mask of any enumerable of capability atoms. The error names the first term that is no
  # capability, or the whole of what cannot be enumerated.
  @spec cast(term()) :: {:ok, t()} | error()
  def cast(caps) when is_list(caps) do
    with {:error, :improper_list} <- sum(caps, 0), do: {:error, {:bad_capability, caps}}
  end

  def cast(caps) do
    if enumerable?(caps) do
      caps |> Enum.to_list() |> sum(0)
    else
      {:error, {:bad_capability, caps}}
    end
  end

  defp sum(caps, mask) do
    with {:more, mask, rest} <- Native.add_caps(caps, mask), do: sum(rest, mask)
  end

  defp enumerable?(fun) when is_function(fun), do: is_function(fun, 2)
  defp enumerable?(term), do: Enumerable.impl_for(term) != nil
end
