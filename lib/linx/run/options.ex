defmodule Linx.Run.Options do
  @moduledoc false
  # The command line of `mix linx.run`: arguments in, a struct or one clear sentence out.

  alias Linx.CLI.{Arguments, CapNames}
  alias Linx.Run.User

  @enforce_keys [:argv, :keep]
  defstruct [:argv, :keep, :ambient, :user, show: :no]

  @typedoc """
  `ambient` is `nil` when the command line leaves it open, `user` when nobody is switched to.
  """
  @type t :: %__MODULE__{
          argv: [String.t(), ...],
          keep: Linx.Capabilities.cap_set(),
          ambient: Linx.Capabilities.cap_set() | nil,
          user: User.t() | nil,
          show: :no | :table | :json
        }

  @switches [
    keep: [:string, :keep],
    ambient: [:string, :keep],
    user: :string,
    show: :boolean,
    json: :boolean,
    help: :boolean
  ]

  @doc """
  Parses the arguments of the task.

      iex> {:ok, options} = Linx.Run.Options.parse(~w(--keep NET_RAW --show -- ping -c 1 ::1))
      iex> {options.argv, MapSet.to_list(options.keep), options.show}
      {["ping", "-c", "1", "::1"], [:cap_net_raw], :table}
      iex> Linx.Run.Options.parse(~w(--keep cap_net_rew -- ping))
      {:error, "unknown capability cap_net_rew; did you mean cap_net_raw?"}
  """
  @spec parse([String.t()]) :: {:ok, t()} | :help | {:error, String.t()}
  def parse(args) do
    with {:ok, {switches, argv}} <- Arguments.parse_head(args, @switches),
         do: build(switches, argv)
  end

  defp build(switches, argv) do
    with :ok <- some(argv, "nothing to run"),
         :ok <- some(Keyword.get_values(switches, :keep), "--keep is missing"),
         {:ok, keep} <- CapNames.parse(Keyword.get_values(switches, :keep)),
         {:ok, ambient} <- ambient(Keyword.get_values(switches, :ambient), keep),
         {:ok, user} <- user(switches[:user]) do
      {:ok,
       %__MODULE__{argv: argv, keep: keep, ambient: ambient, user: user, show: show(switches)}}
    end
  end

  defp some([], message), do: {:error, message}
  defp some([_ | _], _message), do: :ok

  defp ambient([], _keep), do: {:ok, nil}

  defp ambient(lists, keep) do
    with {:ok, ambient} <- CapNames.parse(lists) do
      case ambient |> MapSet.difference(keep) |> Enum.sort() do
        [] -> {:ok, ambient}
        [cap | _] -> {:error, "#{cap} is in --ambient but not in --keep"}
      end
    end
  end

  defp user(nil), do: {:ok, nil}
  defp user(name), do: User.find(name)

  defp show(switches) do
    cond do
      switches[:json] -> :json
      switches[:show] -> :table
      true -> :no
    end
  end
end
