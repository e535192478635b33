defmodule Bench.Clock do
  @moduledoc "Measured time, in nanoseconds."

  @warm_up 3
  @patience 120_000

  @doc "What a function takes."
  @spec elapsed((() -> term())) :: pos_integer()
  def elapsed(fun) do
    began = now()
    fun.()
    now() - began
  end

  @doc "The monotonic clock."
  @spec now() :: integer()
  def now, do: System.monotonic_time(:nanosecond)

  @doc "What each of `count` batches takes; a batch is `width` calls at once, each in a process of its own."
  @spec batches(pos_integer(), pos_integer(), (() -> term())) :: [pos_integer()]
  def batches(count, width, fun) do
    for _ <- 1..@warm_up, do: fun.()
    for _ <- 1..count, do: elapsed(fn -> batch(width, fun) end)
  end

  defp batch(1, fun), do: fun.()

  defp batch(width, fun) do
    1..width
    |> Enum.map(fn _ -> Task.async(fun) end)
    |> Task.await_many(@patience)
  end

  @doc """
  Runs a function in a process of its own, which no session or port that ends takes along, and from which no message is left.
  """
  @spec apart((() -> result)) :: result when result: term()
  def apart(fun) do
    task =
      Task.async(fn ->
        Process.flag(:trap_exit, true)
        fun.()
      end)

    Task.await(task, :infinity)
  end
end
