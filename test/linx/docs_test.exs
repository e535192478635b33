defmodule Linx.DocsTest do
  # A public function says where what it does is written down, and shows it by an example that runs.
  use ExUnit.Case, async: true

  # A manual page; a file of the kernel, or libcap's header; what it is the like of in Elixir.
  @sources [
    ~r/(?<![.\w\/])[A-Za-z_]\w*\([1-8]\)/,
    ~r/\b(security|kernel|fs|include|sys)\/[a-z_\/]+\.[ch]\b/,
    ~r/`(Port|Supervisor)\b/
  ]

  test "every public function names its source and has an example" do
    functions = for module <- documented(), function <- functions(module), do: function
    assert length(functions) > 80
    assert for({name, text} <- functions, not sourced?(text), do: name) == []
    assert for({name, text} <- functions, not (text =~ "iex>"), do: name) == []
  end

  test "the examples of every module are run" do
    tests = [__DIR__, "*_test.exs"] |> Path.join() |> Path.wildcard() |> Enum.map(&File.read!/1)
    run = for text <- tests, [_, name] <- Regex.scan(~r/^  doctest (\S+)$/m, text), do: name

    for module <- documented(), Enum.any?(functions(module), &(elem(&1, 1) =~ "iex>")) do
      assert inspect(module) in run
    end
  end

  defp documented do
    {:ok, modules} = :application.get_key(:linx, :modules)
    Enum.filter(modules, &match?({:docs_v1, _, _, _, %{}, _, _}, Code.fetch_docs(&1)))
  end

  # Those hidden on purpose are left out; one without any text is there, with none.
  defp functions(module) do
    {:docs_v1, _, _, _, _, _, docs} = Code.fetch_docs(module)

    for {{:function, name, arity}, _line, _signature, doc, _meta} <- docs, doc != :hidden do
      {"#{inspect(module)}.#{name}/#{arity}", text(doc)}
    end
  end

  defp text(:none), do: ""
  defp text(%{"en" => text}), do: text

  # Not in the examples, where `name(2)` is a call.
  defp sourced?(text) do
    words = text |> String.split("\n") |> Enum.reject(&String.starts_with?(&1, "    "))
    Enum.any?(words, fn line -> Enum.any?(@sources, &(line =~ &1)) end)
  end
end
