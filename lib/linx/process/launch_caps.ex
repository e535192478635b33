defmodule Linx.Process.LaunchCaps do
  @moduledoc false
  # The `caps:` option: from what the workload is to have to the verbs that get it there.

  import Bitwise

  alias Linx.Capabilities.{Mask, Order, ThreadSets}

  @keys [:bounding, :thread_sets, :ambient]
  # Every bit of the kernel's masks: capabilities without a name here are dropped like the others.
  @all_bits 0xFFFF_FFFF_FFFF_FFFF

  @doc """
  The verbs, in an order that works whatever is asked. The inheritable set is set twice, once by itself, since
  a capability that has left the bounding set cannot become inheritable any more.
  """
  @spec verbs(term()) :: {:ok, [tuple()]} | {:error, term()}
  def verbs(caps) do
    if Keyword.keyword?(caps) and Enum.all?(Keyword.keys(caps), &(&1 in @keys)) do
      with {:ok, bounding} <- cast(caps, :bounding, &drop/1),
           {:ok, thread_sets} <- cast(caps, :thread_sets, &thread_sets/1),
           {:ok, ambient} <- cast(caps, :ambient, &ambient/1) do
        {:ok, Order.sort(bounding ++ thread_sets ++ ambient)}
      end
    else
      {:error, {:bad_caps, caps}}
    end
  end

  defp cast(caps, key, fun) do
    case Keyword.fetch(caps, key) do
      {:ok, value} -> fun.(value)
      :error -> {:ok, []}
    end
  end

  defp drop(kept) do
    with {:ok, mask} <- Mask.cast(kept),
         do: {:ok, [bounding: {:drop_bounding, bxor(mask, @all_bits)}]}
  end

  defp thread_sets(sets) do
    with {:ok, {effective, permitted, inheritable}} <- ThreadSets.validate(sets) do
      all = [thread_sets: {:set_thread_sets, effective, permitted, inheritable}]
      alone = [inheritable: {:set_thread_sets, :keep, :keep, inheritable}]
      {:ok, if(inheritable == :keep, do: all, else: alone ++ all)}
    end
  end

  defp ambient(caps) do
    with {:ok, mask} <- Mask.cast(caps), do: {:ok, [ambient: {:set_ambient, mask}]}
  end
end
