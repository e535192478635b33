defmodule Linx.Model.Driver do
  @moduledoc false
  # Real sessions for the model: asks them, and takes the events that have come.
  #
  # The calling process owns the sessions until `set_owner/2` hands one to a helper, which keeps what it gets.

  alias Linx.Capabilities
  alias Linx.Model.Plan
  alias Linx.Process.{Error, Info}

  # Far more than anything here takes: a call that is not answered by then never will be.
  @patience 20_000

  @doc """
  Calls `fun` in a process that has no sessions and no messages yet; `program` is what `workload.c` was built to.
  """
  def in_new_process(program, fun) do
    bounded(
      fn ->
        Process.flag(:trap_exit, true)
        Process.put(__MODULE__, {program, spawn_link(fn -> keep([]) end)})
        fun.()
      end,
      :infinity
    )
  end

  defp keep(messages) do
    receive do
      {:take, from, ref, tag} ->
        {taken, rest} = Enum.split_with(messages, &ours?(&1, tag))
        send(from, {ref, Enum.reverse(taken)})
        keep(rest)

      message ->
        keep([message | messages])
    end
  end

  defp program, do: elem(Process.get(__MODULE__), 0)
  defp helper, do: elem(Process.get(__MODULE__), 1)

  @doc "A session of these choices."
  def start(choices) do
    tag = if choices[:tagged?], do: make_ref(), else: :none
    options = Plan.options(choices, program()) ++ if(tag == :none, do: [], else: [tag: tag])

    {:ok, pid} =
      case choices[:mode] do
        :spawn ->
          Linx.Process.spawn(options)

        :enter ->
          Linx.Process.enter(String.to_integer(System.pid()), [namespaces: [:uts]] ++ options)
      end

    {pid, tag}
  end

  @doc "What `spawn/1` says to options that are wrong."
  def start_wrongly(options), do: Linx.Process.spawn(options)

  @doc "A verb with wrong arguments."
  def verb_wrongly({pid, _tag}, name, args), do: apply(Capabilities, name, [pid | args])

  @doc "The answer to a call, and the events that had come by then, each with who got it."
  def ask({pid, tag}, call) do
    owned = owned(call)
    answer = bounded(fn -> call(pid, owned) end, @patience)
    own = for event <- taken(tag), do: {:test, event}
    others = for event <- taken_by_helper(tag), do: {:helper, event}
    events = if call == {:set_owner, :test}, do: others ++ own, else: own ++ others
    {answer, events}
  end

  @doc "With what the process of a session that has been stopped has ended."
  def exit_reason({pid, _tag}) do
    receive do
      {:EXIT, ^pid, {:error, %Error{} = error}} -> {:error, plain(error)}
      {:EXIT, ^pid, reason} -> reason
    after
      @patience -> :never
    end
  end

  defp bounded(fun, patience) do
    {pid, monitor} = spawn_monitor(fn -> exit({:answer, fun.()}) end)

    receive do
      {:DOWN, ^monitor, :process, _pid, {:answer, answer}} -> answer
      {:DOWN, ^monitor, :process, _pid, reason} -> {:raised, reason}
    after
      patience ->
        Process.exit(pid, :kill)
        :no_answer
    end
  end

  defp owned({:set_owner, :test}), do: {:set_owner, self()}
  defp owned({:set_owner, :helper}), do: {:set_owner, helper()}
  defp owned(call), do: call

  defp call(pid, {:verb, name, args}), do: apply(Capabilities, name, [pid | args])
  defp call(pid, {:signal, number}), do: Linx.Process.signal(pid, number)
  defp call(pid, {:write, :pipe, bytes}), do: Linx.Process.write(pid, bytes)
  defp call(pid, {:write, :pty, bytes}), do: Linx.Process.pty_write(pid, bytes)
  defp call(pid, {:winsize, size}), do: Linx.Process.pty_set_winsize(pid, size)

  defp call(pid, {:wait, timeout}) do
    with {:error, %Error{} = error} <- Linx.Process.wait(pid, timeout), do: plain(error)
  end

  defp call(pid, {:set_owner, owner}), do: Linx.Process.set_owner(pid, owner)

  defp call(pid, :info) do
    with {:ok, %Info{} = info} <- Linx.Process.info(pid),
         do: {:ok, %{Map.from_struct(info) | result: plain(info.result)}}
  end

  defp call(pid, :pty_master) do
    with {:ok, ^pid} <- Linx.Process.pty_master(pid), do: {:ok, :itself}
  end

  defp call(pid, :stop) do
    :gen_statem.stop(pid, :normal, :infinity)
  catch
    :exit, _gone -> :gone
  end

  defp call(pid, :crash) do
    monitor = Process.monitor(pid)
    Process.exit(pid, :kill)
    receive do: ({:DOWN, ^monitor, :process, _pid, _reason} -> :ok)
  end

  defp call(pid, name), do: apply(Linx.Process, name, [pid])

  defp plain(%Error{} = error), do: {:error, error.code, error.stage}
  defp plain(result), do: result

  defp taken(tag) do
    receive do
      message when elem(message, 0) == :linx_process and elem(message, 1) == tag ->
        [event(message, tag) | taken(tag)]

      message
      when elem(message, 0) == :linx_process and tag == :none and is_atom(elem(message, 1)) ->
        [event(message, tag) | taken(tag)]
    after
      0 -> []
    end
  end

  defp taken_by_helper(tag) do
    ref = make_ref()
    send(helper(), {:take, self(), ref, tag})
    receive do: ({^ref, messages} -> Enum.map(messages, &event(&1, tag)))
  end

  defp ours?(message, tag), do: message |> elem(1) |> of?(tag)
  defp of?(word, :none), do: is_atom(word)
  defp of?(word, tag), do: word == tag

  defp event(message, :none), do: Tuple.delete_at(message, 0)
  defp event(message, _tag), do: message |> Tuple.delete_at(0) |> Tuple.delete_at(0)
end
