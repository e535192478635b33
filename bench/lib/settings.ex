defmodule Bench.Settings do
  @moduledoc "How much is measured: everything, or a short form that shows that it works."

  @sections ~w(launch scale reading streaming start build sizes)
  # Measured only where it is asked for by name.
  @others ~w(timeline)

  @enforce_keys [:short?, :sections, :rounds, :launches, :batches, :points, :probes, :reads]
  defstruct @enforce_keys ++ [:listed, :stream_bytes, :pty_bytes, :echoes, :starts]

  @type t :: %__MODULE__{
          short?: boolean(),
          sections: [String.t()],
          rounds: pos_integer(),
          launches: pos_integer(),
          batches: pos_integer(),
          points: [pos_integer(), ...],
          probes: pos_integer(),
          reads: pos_integer(),
          listed: pos_integer(),
          stream_bytes: pos_integer(),
          pty_bytes: pos_integer(),
          echoes: pos_integer(),
          starts: pos_integer()
        }

  @doc "From the command line: `--short`, `--only SECTION` (any number of times)."
  @spec parse([String.t()]) :: {:ok, t()} | {:error, String.t()}
  def parse(args) do
    case OptionParser.parse(args, strict: [short: :boolean, only: :keep]) do
      {options, [], []} -> options |> new(Keyword.get_values(options, :only)) |> checked()
      _other -> {:error, usage()}
    end
  end

  @doc "Whether every section is measured in full, as the documentation wants it."
  @spec complete?(t()) :: boolean()
  def complete?(settings), do: not settings.short? and settings.sections == @sections

  defp new(options, only) do
    settings = if options[:short], do: short(), else: full()
    if only == [], do: settings, else: %{settings | sections: only}
  end

  defp checked(settings) do
    if settings.sections -- (@sections ++ @others) == [],
      do: {:ok, settings},
      else: {:error, usage()}
  end

  defp usage,
    do: "options: --short, --only SECTION; sections: " <> Enum.join(@sections ++ @others, " ")

  defp full do
    %__MODULE__{
      short?: false,
      sections: @sections,
      rounds: 9,
      launches: 100,
      batches: 5,
      points: [1, 1_000, 2_500, 5_000, 7_500, 10_000],
      probes: 200,
      reads: 1_000,
      listed: 2_000,
      stream_bytes: 512 * 1_048_576,
      pty_bytes: 64 * 1_048_576,
      echoes: 500,
      starts: 3
    }
  end

  # From-scratch builds take minutes, so they are not in here.
  defp short do
    %__MODULE__{
      short?: true,
      sections: @sections -- ["build"],
      rounds: 3,
      launches: 15,
      batches: 1,
      points: [1, 250, 500],
      probes: 20,
      reads: 100,
      listed: 200,
      stream_bytes: 64 * 1_048_576,
      pty_bytes: 4 * 1_048_576,
      echoes: 50,
      starts: 1
    }
  end
end
