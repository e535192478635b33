defmodule Linx.Process.Input do
  @moduledoc false
  # What is written to a workload, on its way to the agent: some bytes in the agent, the rest waiting here, and behind
  # a certain amount the writers waiting too, as on a busy port.

  @in_agent 262_144
  @chunk 65_536
  @queued 1_048_576

  defstruct waiting: :queue.new(),
            queued: 0,
            in_agent: 0,
            writers: [],
            closing?: false,
            closed?: false

  @type t :: %__MODULE__{
          waiting: :queue.queue(binary()),
          queued: non_neg_integer(),
          in_agent: non_neg_integer(),
          writers: [:gen_statem.from()],
          closing?: boolean(),
          closed?: boolean()
        }

  @doc "Takes in what `writer` wrote; it is answered through `admitted/1`."
  @spec write(t(), binary(), :gen_statem.from()) :: t()
  def write(input, bytes, writer) do
    waiting = if bytes == "", do: input.waiting, else: :queue.in(bytes, input.waiting)

    %{
      input
      | waiting: waiting,
        queued: input.queued + byte_size(bytes),
        writers: [writer | input.writers]
    }
  end

  @doc "The end of the input, after everything written."
  @spec close(t()) :: t()
  def close(input), do: %{input | closing?: true}

  @doc "The agent is done with `size` bytes."
  @spec written(t(), non_neg_integer()) :: t()
  def written(input, size), do: %{input | in_agent: max(input.in_agent - size, 0)}

  @doc "What can go to the agent now: chunks, and `:close` after the last."
  @spec take(t()) :: {[binary() | :close], t()}
  def take(input), do: take(input, [])

  defp take(%{in_agent: in_agent} = input, taken) when in_agent >= @in_agent,
    do: {Enum.reverse(taken), input}

  defp take(input, taken) do
    case :queue.out(input.waiting) do
      {{:value, bytes}, rest} ->
        {chunk, rest} = split(bytes, min(@chunk, @in_agent - input.in_agent), rest)
        size = byte_size(chunk)

        input = %{
          input
          | waiting: rest,
            queued: input.queued - size,
            in_agent: input.in_agent + size
        }

        take(input, [chunk | taken])

      {:empty, _} when input.closing? and not input.closed? ->
        {Enum.reverse(taken, [:close]), %{input | closed?: true}}

      {:empty, _} ->
        {Enum.reverse(taken), input}
    end
  end

  defp split(bytes, limit, rest) when byte_size(bytes) <= limit, do: {bytes, rest}

  defp split(bytes, limit, rest) do
    <<chunk::binary-size(limit), tail::binary>> = bytes
    {chunk, :queue.in_r(tail, rest)}
  end

  @doc "The writers who need wait no longer, oldest first."
  @spec admitted(t()) :: {[:gen_statem.from()], t()}
  def admitted(%{queued: queued} = input) when queued < @queued do
    {Enum.reverse(input.writers), %{input | writers: []}}
  end

  def admitted(input), do: {[], input}
end
