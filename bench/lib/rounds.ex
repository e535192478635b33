defmodule Bench.Rounds do
  @moduledoc "Measures several things in turn, round after round, so that what disturbs the machine disturbs all of them."

  @doc """
  The samples of every subject. A subject's function returns those of one round.

  Each round begins with another subject.
  """
  @spec run([{key, (() -> [number()])}], pos_integer()) :: [{key, [number()]}] when key: term()
  def run(subjects, rounds) do
    samples =
      for round <- 1..rounds, {key, measure} <- rotate(subjects, round), reduce: %{} do
        samples ->
          :erlang.garbage_collect()
          Map.update(samples, key, [measure.()], &[measure.() | &1])
      end

    for {key, _measure} <- subjects, do: {key, samples |> Map.fetch!(key) |> Enum.concat()}
  end

  @doc "As `run/2`; the functions take the settings, which tell the number of rounds."
  @spec run_with([{key, (Bench.Settings.t() -> [number()])}], Bench.Settings.t()) ::
          [{key, [number()]}]
        when key: term()
  def run_with(subjects, settings) do
    run(
      for({key, measure} <- subjects, do: {key, fn -> measure.(settings) end}),
      settings.rounds
    )
  end

  defp rotate(subjects, round) do
    {first, rest} = Enum.split(subjects, rem(round - 1, length(subjects)))
    rest ++ first
  end
end
