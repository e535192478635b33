defmodule Linx.CLI.Descriptions do
  @moduledoc false
  # What each capability permits, in a sentence, and how it makes its holder as good as root where it does.
  #
  # The sentences are in `native/linx-caps/descriptions.txt`, beside the table of names.

  alias Linx.Capabilities.Constants

  @source Path.expand("../../../native/linx-caps/descriptions.txt", __DIR__)
  @external_resource @source

  @descriptions @source
                |> File.read!()
                |> String.split("\n", trim: true)
                |> Enum.reject(&String.starts_with?(&1, "#"))
                |> Enum.reduce([], fn
                  "! " <> how, [{name, permits, nil} | before] ->
                    [{name, permits, how} | before]

                  line, before ->
                    [name, permits] = String.split(line, " ", parts: 2)
                    [{name, permits, nil} | before]
                end)
                |> Map.new(fn {name, permits, how} -> {name, {permits, how}} end)

  @type t :: %{permits: String.t(), as_good_as_root: String.t() | nil}

  @doc """
  The description of a capability.

      iex> Linx.CLI.Descriptions.of(:cap_net_bind_service)
      %{permits: "Bind to Internet ports below 1024.", as_good_as_root: nil}
      iex> Linx.CLI.Descriptions.of(:cap_sys_module).as_good_as_root
      "runs code of its own in the kernel"
  """
  @spec of(Linx.Capabilities.cap()) :: t()
  for cap <- Constants.all() do
    {permits, how} = Map.fetch!(@descriptions, Atom.to_string(cap))

    def of(unquote(cap)),
      do: %{permits: unquote(permits), as_good_as_root: unquote(how)}
  end
end
