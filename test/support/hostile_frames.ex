defmodule Linx.TestHostileFrames do
  @moduledoc false
  # Frames that no well-meaning client sends an agent, and those that one sends, in no order that makes sense.
  #
  # All of it comes from the process's `:rand`, so that the same seed does the same again.

  @golden Path.expand("../../native/linx-agent/tests/golden/commands.txt", __DIR__)
  # Of the sessions that random commands are about.
  @ids 40
  # Above any pid that Linux gives: what is sent to kill leftovers must find none.
  @no_pid 1_073_741_823

  @doc "The golden frames of every command but `spawn`, in each encoding."
  def golden do
    for "    " <> hex <- @golden |> File.read!() |> String.split("\n"),
        frame = Base.decode16!(hex, case: :lower),
        :binary.match(frame, "spawn") == :nomatch,
        do: frame
  end

  @doc "One frame. `dir` is where its files are."
  def frame(golden, dir) do
    case :rand.uniform(10) do
      n when n <= 2 -> :rand.bytes(:rand.uniform(200) - 1)
      n when n <= 5 -> golden |> Enum.random() |> mutate(golden)
      6 -> dir |> spawn_command() |> :erlang.term_to_binary() |> mutate(golden)
      7 -> dir |> spawn_command() |> :erlang.term_to_binary()
      _ -> :erlang.term_to_binary(command())
    end
    |> harmless()
  end

  @doc "Frames that end the session `id`, however far it has come."
  def goodbye(id), do: [{:abort, id}, {:stop, id, 0}]

  # What is mutated must not come to mean somebody else's process.
  defp harmless(frame) do
    if :binary.match(frame, "kill_leftover") == :nomatch,
      do: frame,
      else: :erlang.term_to_binary({:kill_leftover, @no_pid, :rand.uniform(1000), 0})
  end

  defp mutate(frame, others) do
    Enum.reduce(1..:rand.uniform(4), frame, fn _, frame -> edit(frame, others) end)
  end

  defp edit(frame, others) do
    {front, back} = cut(frame)

    case :rand.uniform(6) do
      1 -> front
      2 -> front <> :rand.bytes(:rand.uniform(8)) <> back
      3 -> front <> elem(cut(back), 1)
      4 -> front <> back <> front
      5 -> front <> (others |> Enum.random() |> cut() |> elem(1))
      6 -> front <> flip(back)
    end
  end

  defp cut(frame) do
    at = :rand.uniform(byte_size(frame) + 1) - 1
    <<front::binary-size(at), back::binary>> = frame
    {front, back}
  end

  defp flip(<<byte, rest::binary>>),
    do: <<Bitwise.bxor(byte, Bitwise.bsl(1, :rand.uniform(8) - 1)), rest::binary>>

  defp flip(""), do: ""

  defp id, do: :rand.uniform(@ids)

  # What is left alone when nobody listens to it has to end by itself.
  defp spawn_command(dir) do
    options = dir |> options() |> Enum.take_random(:rand.uniform(5) - 1) |> Map.new()

    argv =
      if options[:orphan] == :linger,
        do: ["true"],
        else: Enum.random([["true"], ["/bin/false"], ["sleep", "60"], ["cat"], ["/no/such"]])

    {:spawn, id(), Map.put(options, :argv, argv)}
  end

  defp options(dir) do
    file = {:file, Path.join(dir, "file")}

    [
      stdio: Enum.random([:pty, {:pipe, :pipe, :stdout}, {:devnull, file, :pipe}]),
      proceed: true,
      kill_tree: coin(),
      no_new_privs: coin(),
      orphan: Enum.random([:linger, {:kill, :rand.uniform(50)}]),
      window: :rand.uniform(10_000),
      env: ["A=1", "PATH=/bin:/usr/bin"],
      cwd: Enum.random(["/", dir, "/no/such"]),
      winsize: {24, 80, 0, 0},
      verbs: for(_ <- 1..:rand.uniform(3), do: verb())
    ]
  end

  defp coin, do: :rand.uniform(2) == 1

  defp command do
    Enum.random([
      {:verb, id(), verb()},
      {:sync, id()},
      {:proceed, id()},
      {:proceed, id()},
      {:abort, id()},
      {:signal, id(), :rand.uniform(64)},
      {:stop, id(), :rand.uniform(50) - 1},
      {:stop, id(), 4_294_967_295},
      {:orphan, id()},
      {:write, id(), :rand.bytes(:rand.uniform(2_000))},
      {:close_stdin, id()},
      {:winsize, id(), {1, 2, 3, 4}},
      {:ack, id(), :rand.uniform(100_000)}
    ])
  end

  defp verb do
    mask = Bitwise.band(:rand.uniform(4_294_967_296), :rand.uniform(4_294_967_296))

    Enum.random([
      {:drop_bounding, mask},
      {:set_thread_sets, mask, :keep, :keep},
      {:set_thread_sets, 0, 0, 0},
      {:set_ambient, mask},
      {:raise_ambient, mask},
      {:drop_ambient, mask},
      {:keep_only, mask},
      {:set_groups, 65_534, [1, 2, 3]},
      {:set_uid, 65_534},
      {:set_securebits, mask},
      {:set_mode, :nopriv},
      {:set_iab, mask, 0, mask},
      {:set_no_new_privs},
      {:chroot, "/"}
    ])
  end
end
