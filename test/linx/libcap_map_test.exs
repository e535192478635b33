defmodule Linx.LibcapMapTest do
  use ExUnit.Case, async: true

  @map File.read!(Path.expand("../../docs/libcap-map.md", __DIR__))

  test "what the table sends to is there" do
    named =
      Regex.scan(~r/`((?:Linx\.)[A-Za-z.]+)\.([a-z_?]+)\/(\d)`/, @map, capture: :all_but_first)

    assert length(named) > 60

    for [module, function, arity] <- named do
      module = Module.concat([module])
      assert Code.ensure_loaded?(module), inspect(module)

      assert function_exported?(
               module,
               String.to_existing_atom(function),
               String.to_integer(arity)
             ),
             "#{inspect(module)}.#{function}/#{arity}"
    end
  end

  test "what libcap declares is in it" do
    header = File.read!("/usr/include/sys/capability.h")
    declared = Regex.scan(~r/^extern .*?\b(cap[a-z_]+)\(/m, header, capture: :all_but_first)
    names = List.flatten(declared)
    assert length(names) > 60
    assert Enum.reject(names, &(@map =~ "`#{&1}`")) == []
  end

  test "what capsh can be told is in it" do
    {help, 0} = System.cmd("capsh", ["--help"])
    options = ~r/^ +(--[a-z-]+)/m |> Regex.scan(help, capture: :all_but_first) |> List.flatten()
    assert length(options) > 30
    known? = fn option -> @map =~ ~r/`#{option}=?`/ end
    assert Enum.reject(options -- ["--help", "--license"], known?) == []
  end
end
