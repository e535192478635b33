defmodule Linx.GuidesTest do
  # The examples in docs/ run as they stand. ExUnit takes doctests from modules only, so
  # each guide becomes the documentation of one.
  use ExUnit.Case, async: false

  @moduletag :root

  # Not "linx-...": in the code path that would be taken for a version of the application.
  @directory Path.join(System.tmp_dir!(), "guides-#{System.pid()}")

  File.mkdir_p!(@directory)
  Code.prepend_path(@directory)
  docs? = Code.get_compiler_option(:docs)
  Code.put_compiler_option(:docs, true)

  for guide <- ["capabilities", "process"] do
    path = Path.join([__DIR__, "../../docs", guide <> ".md"])
    module = Module.concat(Linx.Guide, Macro.camelize(guide))
    body = quote(do: @moduledoc(unquote(File.read!(path))))
    {:module, ^module, beam, _} = Module.create(module, body, file: path, line: 1)
    File.write!(Path.join(@directory, "#{module}.beam"), beam)
    doctest module
  end

  Code.put_compiler_option(:docs, docs?)
  Code.delete_path(@directory)
  File.rm_rf!(@directory)
end
