defmodule Linx.Process.Credit do
  @moduledoc false
  # Flow control of output towards an owner who acknowledges nothing.
  #
  # The agent sends a window of bytes and waits for them to be acknowledged. An owner has taken a
  # message when it is no longer in its mailbox. So this remembers the sizes of the messages sent and not yet
  # acknowledged, oldest first; of an owner with n messages waiting, all but the last n of ours have been taken,
  # and an idle owner never holds more than the window.
  #
  # Messages of others make that too cautious. When nothing moves, a helper process looks which of the waiting
  # messages are ours; the longer the mailbox, the more rarely. How many are not is remembered, up to a bound, and not counted from
  # then on; they are fewer as soon as the whole mailbox is shorter. The mailbox of an owner on another node is only
  # counted; if that does not tell, credit trickles.
  #
  # The process that uses this gets messages `{:linx_credit, …}` and hands them to `handle/2`.

  # An owner that is at work takes what it was sent in less time than any timer has: at first it is looked at again at once.
  @quick_looks 50
  @first_delay 2
  @last_delay 50
  # Waiting messages that are looked through without a second thought.
  @short 10_000
  @slow_delay 1_000
  # Messages of others that are believed to be still there: an owner that has taken them after all may hold as many of ours more.
  @most_others 256
  # Output in flight below which acknowledging can wait for the timer.
  @eager 32_768

  @enforce_keys [:owner, :tag]
  defstruct [
    :owner,
    :tag,
    :probe,
    :timer,
    sizes: :queue.new(),
    count: 0,
    held: 0,
    since_probe: 0,
    quick: 0,
    others: 0,
    rest: @last_delay,
    delay: @first_delay
  ]

  @type tag :: :none | {:tag, term()}
  @type t :: %__MODULE__{
          owner: pid(),
          tag: tag(),
          probe: reference() | nil,
          timer: reference() | nil,
          sizes: :queue.queue(pos_integer()),
          count: non_neg_integer(),
          held: non_neg_integer(),
          since_probe: non_neg_integer(),
          quick: non_neg_integer(),
          others: non_neg_integer(),
          rest: pos_integer(),
          delay: pos_integer()
        }

  @doc "The account of an owner; `tag` tells which messages are ours."
  @spec new(pid(), tag()) :: t()
  def new(owner, tag), do: %__MODULE__{owner: owner, tag: tag}

  @doc "`size` bytes have been sent to the owner; returns how many to acknowledge."
  @spec sent(t(), non_neg_integer()) :: {non_neg_integer(), t()}
  def sent(credit, 0), do: {0, credit}

  def sent(credit, size) do
    credit = %{
      credit
      | sizes: :queue.in(size, credit.sizes),
        count: credit.count + 1,
        held: credit.held + size,
        since_probe: credit.since_probe + 1
    }

    {acked, credit} =
      if credit.held >= @eager and local?(credit), do: count(credit), else: {0, credit}

    {acked, schedule(if(acked > 0, do: %{credit | quick: 0}, else: credit))}
  end

  @doc "A message `{:linx_credit, …}` has come; returns how many bytes to acknowledge."
  @spec handle(t(), tuple()) :: {non_neg_integer(), t()}
  def handle(%{timer: timer} = credit, {:linx_credit, :look, timer}) do
    case look(%{credit | timer: nil}) do
      {0, %{quick: quick} = credit} when quick < @quick_looks ->
        {0, schedule(hesitate(%{credit | quick: quick + 1}))}

      {0, credit} ->
        {0, schedule(%{credit | delay: min(credit.delay * 2, longest(credit))})}

      {acked, credit} ->
        {acked, schedule(%{credit | quick: 0, delay: @first_delay})}
    end
  end

  def handle(%{probe: probe} = credit, {:linx_credit, :waiting, probe, {waiting, others}}) do
    credit = %{credit | probe: nil, others: min(others, @most_others)}

    case taken(credit, waiting + credit.since_probe) do
      {0, credit} -> trickle(credit)
      {acked, %{rest: @last_delay} = credit} -> {acked, %{credit | delay: @first_delay}}
      {acked, credit} -> {acked, %{credit | delay: credit.rest}}
    end
  end

  # Of a probe or a timer from before `reset/2`.
  def handle(credit, _late), do: {0, credit}

  @doc "Takes everything as acknowledged, and starts anew with another owner."
  @spec reset(t(), pid()) :: {non_neg_integer(), t()}
  def reset(credit, owner), do: {credit.held, new(owner, credit.tag)}

  defp local?(credit), do: node(credit.owner) == node()

  defp schedule(%{held: held, timer: nil} = credit) when held > 0 do
    timer = make_ref()
    message = {:linx_credit, :look, timer}

    if credit.quick < @quick_looks and local?(credit),
      do: send(self(), message),
      else: Process.send_after(self(), message, credit.delay)

    %{credit | timer: timer}
  end

  defp schedule(credit), do: credit

  defp longest(credit), do: if(local?(credit), do: credit.rest, else: @slow_delay)

  # The quick looks are over, and before the timer has its turn it is found out whether somebody else's messages are in the way.
  defp hesitate(%{quick: @quick_looks} = credit) do
    if local?(credit), do: look_closer(credit), else: credit
  end

  defp hesitate(credit), do: credit

  defp look(%{held: 0} = credit), do: {0, credit}

  defp look(credit) do
    if local?(credit) do
      with {0, %{quick: @quick_looks} = credit} <- count(credit), do: {0, look_closer(credit)}
    else
      {0, probe(credit, &remote_waiting/1)}
    end
  end

  defp count(credit) do
    case Process.info(credit.owner, :message_queue_len) do
      {:message_queue_len, waiting} ->
        others = min(credit.others, waiting)
        taken(%{credit | rest: rest(waiting), others: others}, waiting - others)

      nil ->
        taken(credit, 0)
    end
  end

  # Looking through a mailbox copies it: the longer it is, the more rarely that is done.
  defp rest(waiting) when waiting <= @short, do: @last_delay
  defp rest(waiting), do: max(@last_delay, div(waiting, 100))

  defp look_closer(%{rest: rest, delay: delay} = credit) when rest > @last_delay and delay < rest,
    do: credit

  defp look_closer(%{held: 0} = credit), do: credit

  defp look_closer(credit) do
    tag = credit.tag
    probe(credit, &output_waiting(&1, tag))
  end

  defp probe(%{probe: nil} = credit, fun) do
    ref = make_ref()
    session = self()
    owner = credit.owner
    spawn(fn -> send(session, {:linx_credit, :waiting, ref, fun.(owner)}) end)
    %{credit | probe: ref, since_probe: 0}
  end

  defp probe(credit, _fun), do: credit

  # How many of the owner's waiting messages are output of ours, or look like it, and how many are not.
  defp output_waiting(owner, tag) do
    case Process.info(owner, :messages) do
      {:messages, messages} ->
        ours = Enum.count(messages, &output?(&1, tag))
        {ours, length(messages) - ours}

      nil ->
        {0, 0}
    end
  end

  defp output?({:linx_process, stream, bytes}, :none), do: output(stream, bytes)
  defp output?({:linx_process, tag, stream, bytes}, {:tag, tag}), do: output(stream, bytes)
  defp output?(_message, _tag), do: false

  defp output(stream, bytes), do: stream in [:stdout, :stderr, :pty_out] and is_binary(bytes)

  # An owner who is gone, or whose node is, has taken everything.
  defp remote_waiting(owner) do
    case :erpc.call(node(owner), :erlang, :process_info, [owner, :message_queue_len], 5_000) do
      {:message_queue_len, waiting} -> {waiting, 0}
      :undefined -> {0, 0}
    end
  catch
    _kind, _unreachable -> {0, 0}
  end

  defp trickle(credit) do
    if credit.delay >= @slow_delay and not local?(credit),
      do: pop(credit, min(1, credit.count), 0),
      else: {0, credit}
  end

  # All but the last `waiting` messages have been taken.
  defp taken(credit, waiting), do: pop(credit, credit.count - waiting, 0)

  defp pop(credit, count, acked) when count <= 0 do
    {acked, %{credit | held: credit.held - acked}}
  end

  defp pop(credit, count, acked) do
    {{:value, size}, sizes} = :queue.out(credit.sizes)
    pop(%{credit | sizes: sizes, count: credit.count - 1}, count - 1, acked + size)
  end
end
