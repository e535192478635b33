# The benchmark; `make bench` and `make bench-short` run it (see docs/PERFORMANCE.md).
__DIR__ |> Path.join("lib/*.ex") |> Path.wildcard() |> Kernel.ParallelCompiler.require()
Bench.Main.run(System.argv())
