defmodule Linx.CLI.Arguments do
  @moduledoc false
  # The command line of a task: arguments in, switches and the rest or one clear sentence out.
  #
  # `--help` wins over whatever else is right or wrong, and every task has it.

  @type parsed :: {:ok, {keyword(), [String.t()]}} | :help | {:error, String.t()}

  @doc """
  Parses switches wherever they stand. `strict` and `aliases` are those of `OptionParser.parse/2`.

      iex> Linx.CLI.Arguments.parse(~w(-r /bin --json), [json: :boolean, recursive: :boolean], r: :recursive)
      {:ok, {[recursive: true, json: true], ["/bin"]}}
      iex> Linx.CLI.Arguments.parse(~w(--frob), json: :boolean)
      {:error, "unknown option --frob"}
      iex> Linx.CLI.Arguments.parse(~w(--frob --help), json: :boolean)
      :help
  """
  @spec parse([String.t()], keyword(), keyword()) :: parsed()
  def parse(args, strict, aliases \\ []) do
    strict = [{:help, :boolean} | strict]
    args |> OptionParser.parse(strict: strict, aliases: aliases) |> result(strict)
  end

  @doc """
  Parses switches up to the first argument that is none, as a task does that runs another program.

      iex> Linx.CLI.Arguments.parse_head(~w(--json ls --json), json: :boolean)
      {:ok, {[json: true], ["ls", "--json"]}}
  """
  @spec parse_head([String.t()], keyword()) :: parsed()
  def parse_head(args, strict) do
    strict = [{:help, :boolean} | strict]
    args |> OptionParser.parse_head(strict: strict) |> result(strict)
  end

  defp result({switches, rest, invalid}, strict) do
    case {switches[:help], invalid} do
      {true, _} -> :help
      {_, []} -> {:ok, {switches, rest}}
      {_, [first | _]} -> {:error, sentence(first, strict)}
    end
  end

  defp sentence({name, nil}, strict) do
    if name in Enum.map(strict, fn {key, _} -> "--#{key}" end),
      do: "#{name} needs a value",
      else: "unknown option #{name}"
  end

  defp sentence({name, value}, _strict),
    do: "#{name} does not take the value #{inspect(value)}"
end
