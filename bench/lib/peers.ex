defmodule Bench.Peers do
  @moduledoc """
  The programs that `bench/setup` builds: workloads and what is measured against.

  The measuring ones print one number of nanoseconds a line.
  """

  @doc "The directory they are in, from the environment variable `BENCH_PEERS`."
  @spec dir() :: Path.t()
  def dir, do: System.fetch_env!("BENCH_PEERS")

  @doc "The path of one of them."
  @spec path(String.t()) :: Path.t()
  def path(name), do: Path.join(dir(), name)

  @doc "Whether it could be built."
  @spec built?(String.t()) :: boolean()
  def built?(name), do: name |> path() |> File.exists?()

  @doc "Runs one and returns what it measured, in nanoseconds."
  @spec measure(String.t(), [String.t() | integer()]) :: [pos_integer()]
  def measure(name, args) do
    {output, 0} = System.cmd(path(name), Enum.map(args, &to_string/1))
    output |> String.split() |> Enum.map(&String.to_integer/1)
  end
end
