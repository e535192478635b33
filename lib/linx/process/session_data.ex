defmodule Linx.Process.SessionData do
  @moduledoc false
  # What a session knows, and the two directions in which it talks: frames to its agent, events to its owner.

  alias Linx.AgentPort
  alias Linx.AgentPort.Unsettled
  alias Linx.Process.{Credit, Error, Info, Input, Options}

  @enforce_keys [:options, :owner, :credit]
  defstruct [
    :options,
    :owner,
    :credit,
    :agent,
    :agent_monitor,
    :port,
    :id,
    :host_pid,
    :child_pid,
    :result,
    :winsize,
    :securebits,
    input: %Input{},
    signals: [],
    waiters: %{},
    syncs: :queue.new(),
    unsettled?: false,
    abort: nil
  ]

  @typedoc """
  A child at its checkpoint: its pid and secure bits, whether it will be given `no_new_privs` before its exec, and
  the directory it will exec in, `nil` for the VM's.
  """
  @type checkpoint :: %{
          host_pid: pos_integer(),
          securebits: non_neg_integer(),
          no_new_privs: boolean(),
          cwd: binary() | nil
        }

  @type t :: %__MODULE__{
          options: Options.t(),
          owner: pid(),
          credit: Credit.t(),
          agent: GenServer.server() | nil,
          agent_monitor: reference() | nil,
          port: port() | nil,
          id: AgentPort.Frame.id() | nil,
          host_pid: pos_integer() | nil,
          child_pid: pos_integer() | nil,
          result: nil | {:exited, 0..255} | {:signaled, pos_integer()} | :aborted | Error.t(),
          winsize: nil | tuple(),
          securebits: non_neg_integer() | nil,
          input: Input.t(),
          signals: [1..64],
          waiters: %{reference() => :gen_statem.from()},
          syncs: :queue.queue({:gen_statem.from(), atom()}),
          unsettled?: boolean(),
          abort: nil | :kept | {:asked, [:gen_statem.from()]}
        }

  @doc "A session that has not begun."
  @spec new(Options.t()) :: t()
  def new(options) do
    %__MODULE__{
      options: options,
      owner: options.owner,
      credit: Credit.new(options.owner, options.tag)
    }
  end

  @doc "Sends a frame `{name, id, …}` given without its id."
  @spec command(t(), tuple()) :: :ok | :closed
  def command(data, frame), do: AgentPort.command(data.port, Tuple.insert_at(frame, 1, data.id))

  @doc "Sends the owner an event, under the session's tag if it has one."
  @spec notify(t(), tuple()) :: :ok
  def notify(data, event) do
    send(data.owner, message(data, event))
    :ok
  end

  @doc "What the owner is told if the session is killed before its end."
  @spec last_words(t()) :: AgentPort.last_words()
  def last_words(data),
    do: {data.owner, message(data, {:error, AgentPort.unknown_status(), :session_died})}

  defp message(data, event) do
    event =
      case data.options.tag do
        :none -> event
        {:tag, tag} -> Tuple.insert_at(event, 0, tag)
      end

    Tuple.insert_at(event, 0, :linx_process)
  end

  @doc "Hands output to the owner and acknowledges what it has taken before."
  @spec output(t(), AgentPort.Frame.stream(), binary()) :: t()
  def output(data, stream, bytes) do
    deliver(data, stream, bytes)
    data.credit |> Credit.sent(byte_size(bytes)) |> acknowledge(data)
  end

  @doc "Hands output to the owner."
  @spec deliver(t(), AgentPort.Frame.stream(), binary()) :: :ok
  def deliver(data, :pty, bytes), do: notify(data, {:pty_out, bytes})
  def deliver(data, stream, bytes), do: notify(data, {stream, bytes})

  @doc "Passes a message of the owner's account on."
  @spec credit(t(), tuple()) :: t()
  def credit(data, message), do: data.credit |> Credit.handle(message) |> acknowledge(data)

  @doc "Turns to another owner."
  @spec owned_by(t(), pid()) :: t()
  def owned_by(data, owner) do
    %{(data.credit |> Credit.reset(owner) |> acknowledge(data)) | owner: owner}
  end

  defp acknowledge({0, credit}, data), do: %{data | credit: credit}

  defp acknowledge({size, credit}, data) do
    command(data, {:ack, size})
    %{data | credit: credit}
  end

  @doc "Gives the agent as much input as it may have, and answers the writers who need wait no longer."
  @spec feed(t(), Input.t()) :: t()
  def feed(data, input) do
    {taken, input} = Input.take(input)

    for chunk <- taken do
      command(data, if(chunk == :close, do: {:close_stdin}, else: {:write, chunk}))
    end

    {writers, input} = Input.admitted(input)
    reply_all(writers, :ok)
    %{data | input: input}
  end

  @doc "Notes that a verb is on its way to the parked child."
  @spec unsettle(t()) :: t()
  def unsettle(%{unsettled?: true} = data), do: data

  def unsettle(data) do
    Unsettled.mark(data.host_pid, self())
    %{data | unsettled?: true}
  end

  @doc "Leaves a request to be answered when every verb sent so far has been applied."
  @spec settle(t(), :gen_statem.from(), atom()) :: t()
  def settle(data, from, request) do
    command(data, {:sync})
    %{data | syncs: :queue.in({from, request}, data.syncs), unsettled?: false}
  end

  @doc "Whether verbs may be on their way."
  @spec settled?(t()) :: boolean()
  def settled?(data), do: not data.unsettled? and :queue.is_empty(data.syncs)

  @doc "Forgets that there were verbs: they are applied, or do not matter any more."
  @spec forget_verbs(t()) :: t()
  def forget_verbs(data) do
    if data.host_pid, do: Unsettled.clear(data.host_pid, self())
    %{data | unsettled?: false}
  end

  @doc "The session at a glance."
  @spec info(t(), Info.stage()) :: Info.t()
  def info(data, stage) do
    %Info{
      mode: data.options.mode,
      stage: stage,
      host_pid: data.host_pid,
      child_pid: data.child_pid,
      pty?: data.options.stdio == :pty,
      result: data.result
    }
  end

  @doc "The child at its checkpoint, after an answer to `settle/3`."
  @spec checkpoint(t()) :: checkpoint()
  def checkpoint(data) do
    %{
      host_pid: data.host_pid,
      securebits: data.securebits,
      no_new_privs: data.options.no_new_privs,
      cwd: data.options.cwd
    }
  end

  @doc "Gives several callers the same answer."
  @spec reply_all([:gen_statem.from()], term()) :: :ok
  def reply_all(callers, reply),
    do: :gen_statem.reply(for(from <- callers, do: {:reply, from, reply}))
end
