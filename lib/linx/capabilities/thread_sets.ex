defmodule Linx.Capabilities.ThreadSets do
  @moduledoc false
  # Validates the effective, permitted and inheritable set of `Linx.Capabilities.set_thread_sets/2` and of
  # the `caps:` option of `Linx.Process`.

  alias Linx.Capabilities.Mask

  @keys [:effective, :permitted, :inheritable]

  @type set :: Mask.t() | :keep
  @type error ::
          Mask.error() | {:error, {:bad_thread_sets, {:missing | :unknown, atom()} | term()}}

  # The three masks in the order of capset's arguments: effective, permitted, inheritable. A missing
  # key is reported before an unknown one, and both before a value.
  @spec validate(term()) :: {:ok, {set(), set(), set()}} | error()
  def validate(sets) do
    with :ok <- check_keys(sets),
         {:ok, effective} <- cast(sets[:effective]),
         {:ok, permitted} <- cast(sets[:permitted]),
         {:ok, inheritable} <- cast(sets[:inheritable]) do
      {:ok, {effective, permitted, inheritable}}
    end
  end

  defp check_keys(sets) do
    if Keyword.keyword?(sets) do
      given = Keyword.keys(sets)
      check_keys(@keys -- given, Enum.reject(given, &(&1 in @keys)))
    else
      {:error, {:bad_thread_sets, sets}}
    end
  end

  defp check_keys([missing | _], _unknown), do: {:error, {:bad_thread_sets, {:missing, missing}}}
  defp check_keys([], [unknown | _]), do: {:error, {:bad_thread_sets, {:unknown, unknown}}}
  defp check_keys([], []), do: :ok

  defp cast(:keep), do: {:ok, :keep}
  defp cast(caps), do: Mask.cast(caps)
end
