defmodule Linx.Process.LaunchCaps do
  @moduledoc false
  # The `caps:` option: from what the workload is to have to the verbs that get it there.

  import Bitwise

  alias Linx.Capabilities.{Mask, ThreadSets}

  @keys [:bounding, :thread_sets, :ambient]
  # Every bit of the kernel's masks: capabilities without a name here are dropped like the others.
  @all_bits 0xFFFF_FFFF_FFFF_FFFF

  @doc """
  The verbs, in an order that works whatever is asked.

  A capability outside the bounding set cannot become inheritable any more, so the inheritable set comes first;
  `cap_setpcap` is needed for the drops, so the other thread sets come after them; ambient
  capabilities have to be permitted and inheritable before.
  """
  @spec verbs(term()) :: {:ok, [tuple()]} | {:error, term()}
  def verbs(caps) do
    if Keyword.keyword?(caps) and Enum.all?(Keyword.keys(caps), &(&1 in @keys)) do
      with {:ok, bounding} <- cast(caps, :bounding, &drop/1),
           {:ok, {early, late}} <- cast(caps, :thread_sets, &thread_sets/1),
           {:ok, ambient} <- cast(caps, :ambient, &ambient/1) do
        {:ok, List.wrap(early) ++ List.wrap(bounding) ++ List.wrap(late) ++ List.wrap(ambient)}
      end
    else
      {:error, {:bad_caps, caps}}
    end
  end

  defp cast(caps, key, fun) do
    case Keyword.fetch(caps, key) do
      {:ok, value} -> fun.(value)
      :error when key == :thread_sets -> {:ok, {nil, nil}}
      :error -> {:ok, nil}
    end
  end

  defp drop(kept) do
    with {:ok, mask} <- Mask.cast(kept), do: {:ok, {:drop_bounding, bxor(mask, @all_bits)}}
  end

  defp thread_sets(sets) do
    with {:ok, {effective, permitted, inheritable}} <- ThreadSets.validate(sets) do
      late = {:set_thread_sets, effective, permitted, inheritable}

      case inheritable do
        :keep -> {:ok, {nil, late}}
        mask -> {:ok, {{:set_thread_sets, :keep, :keep, mask}, late}}
      end
    end
  end

  defp ambient(caps) do
    with {:ok, mask} <- Mask.cast(caps), do: {:ok, {:set_ambient, mask}}
  end
end
