defmodule Bench.Row do
  @moduledoc """
  One measured thing: its samples, reduced to median and the 10th and 90th percentile.

  `drops?` tells of a launcher whether it confines what it launches.
  """

  @enforce_keys [:section, :group, :name, :unit, :median, :p10, :p90, :samples]
  defstruct @enforce_keys ++ [drops?: nil]

  @type t :: %__MODULE__{
          section: String.t(),
          group: String.t(),
          name: String.t(),
          unit: String.t(),
          median: number(),
          p10: number(),
          p90: number(),
          samples: pos_integer(),
          drops?: boolean() | nil
        }

  @doc "A row of samples that are in `unit` already."
  @spec new({String.t(), String.t()}, String.t(), String.t(), [number(), ...]) :: t()
  def new({section, group}, name, unit, samples) do
    sorted = Enum.sort(samples)

    %__MODULE__{
      section: section,
      group: group,
      name: name,
      unit: unit,
      median: median(sorted),
      p10: percentile(sorted, 10),
      p90: percentile(sorted, 90),
      samples: length(sorted)
    }
  end

  @doc "The row of that section, group and name; `nil` where it was not measured."
  @spec find([t()], {String.t(), String.t()}, String.t()) :: t() | nil
  def find(rows, {section, group}, name) do
    Enum.find(rows, &(&1.section == section and &1.group == group and &1.name == name))
  end

  @doc "The middle of a list of numbers."
  @spec median([number(), ...]) :: number()
  def median(samples) do
    sorted = Enum.sort(samples)
    count = length(sorted)
    upper = Enum.at(sorted, div(count, 2))
    if rem(count, 2) == 1, do: upper, else: (Enum.at(sorted, div(count, 2) - 1) + upper) / 2
  end

  defp percentile(sorted, percent) do
    Enum.at(sorted, round((length(sorted) - 1) * percent / 100))
  end
end
