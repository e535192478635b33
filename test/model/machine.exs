defmodule Linx.Model.Machine do
  @moduledoc false
  # Random sequences of calls to a few sessions, for `proper_statem`.

  @behaviour :proper_statem

  import :proper_types, only: [elements: 1, frequency: 1, oneof: 1]

  alias Linx.Model.{Caps, Driver, Plan, Session}

  @most_sessions 3

  # Sessions by what `Driver.start/1` returned; a symbol while a sequence is generated.
  defstruct sessions: %{}, untagged?: false

  @impl true
  def initial_state, do: %__MODULE__{}

  @impl true
  def command(%{sessions: sessions}) when sessions == %{},
    do: {:call, Driver, :start, [Plan.choices()]}

  def command(state) do
    session = elements(Map.keys(state.sessions))

    frequency([
      {2, {:call, Driver, :start, [Plan.choices()]}},
      {1, {:call, Driver, :start_wrongly, [elements(Enum.map(wrong_options(), &elem(&1, 0)))]}},
      {1, wrong_verb(session)},
      {30, {:call, Driver, :ask, [session, call()]}}
    ])
  end

  defp call do
    frequency([
      {8, :proceed},
      {6, :host_pid},
      {6, :info},
      {6, elements(for {name, args} <- Caps.verbs(), do: {:verb, name, args})},
      {3, :abort},
      {3, {:signal, elements([1, 2, 9, 10, 15, 17, 18, 19, 28, 32, 34, 64])}},
      {3, {:wait, elements([0, 3])}},
      {4, {:write, :pipe, elements(["", "words", "more\n"])}},
      {2, {:write, :pty, "line\n"}},
      {2, :close_stdin},
      {2, {:set_owner, elements([:test, :helper])}},
      {1, {:winsize, {24, 80, 0, 0}}},
      {1, :pty_master},
      {1, oneof([:stop, :crash])}
    ])
  end

  defp wrong_verb(session) do
    oneof(
      for {name, args, _reason} <- Caps.bad_verbs() do
        {:call, Driver, :verb_wrongly, [session, name, :proper_types.exactly(args)]}
      end
    )
  end

  defp wrong_options do
    [
      {[], :argv_required},
      {[argv: ["true"], stdio: :pip], {:bad_stdio, :pip}},
      {[argv: ["true"], nope: 1], {:unknown_option, :nope}},
      {[argv: ["tr\0ue"]], {:bad_argv, ["tr\0ue"]}},
      {[argv: ["true"], caps: [ambient: [:cap_nope]]], {:bad_capability, :cap_nope}}
    ]
  end

  @impl true
  def precondition(state, {:call, Driver, :start, [choices]}),
    do: map_size(state.sessions) < @most_sessions and (choices[:tagged?] or not state.untagged?)

  def precondition(state, {:call, Driver, :ask, [session, call]}) do
    case state.sessions do
      # Its workload would live on, as it was asked to.
      %{^session => {choices, _model}} -> not (call == :crash and choices[:orphan] == :linger)
      _shrunk_away -> false
    end
  end

  def precondition(state, {:call, Driver, :verb_wrongly, [session | _]}),
    do: is_map_key(state.sessions, session)

  def precondition(_state, _call), do: true

  @impl true
  def next_state(state, session, {:call, Driver, :start, [choices]}) do
    model = choices |> Plan.meaning() |> Session.new()
    untagged? = state.untagged? or not choices[:tagged?]
    %{state | sessions: Map.put(state.sessions, session, {choices, model}), untagged?: untagged?}
  end

  def next_state(state, {answer, events}, {:call, Driver, :ask, [session, call]})
      when is_list(events) do
    case advance(state, session, call, answer, events) do
      {:ok, model} -> put_in(state.sessions[session], model)
      {:error, _why} -> state
    end
  end

  def next_state(state, _result, _call), do: state

  @impl true
  def postcondition(state, {:call, Driver, :ask, [session, call]}, {answer, events}) do
    case advance(state, session, call, answer, events) do
      {:ok, _model} -> true
      {:error, why} -> complain(why)
    end
  end

  def postcondition(_state, {:call, Driver, :start_wrongly, [options]}, answer) do
    {options, reason} = List.keyfind(wrong_options(), options, 0)
    answer == {:error, reason} or complain({options, answer})
  end

  def postcondition(_state, {:call, Driver, :verb_wrongly, [_session, name, args]}, answer) do
    answer in for({^name, ^args, reason} <- Caps.bad_verbs(), do: {:error, reason}) or
      complain({name, args, answer})
  end

  def postcondition(_state, {:call, Driver, :start, _}, {pid, _tag}), do: is_pid(pid)

  defp complain(why) do
    Process.put(__MODULE__, why)
    false
  end

  # The sessions of a state brought to their end: `[]`, or what was wrong with it. Those that have to end do so unaided.
  def finish(state), do: Enum.flat_map(state.sessions, &finish_one/1)

  defp finish_one({session, {_choices, model}}) do
    calls = if Session.must_end?(model), do: [{:wait, 10_000}, :stop], else: [:stop]

    with {:ok, model} <- last_calls(calls, model, session),
         {:ok, model} <- await_end(model, session, 1_000),
         {:ok, model} <- last_calls([:info], model, session) do
      reason = Driver.exit_reason(session)
      if reason in model.exits, do: [], else: [{:exit_reason, reason, model.exits}]
    else
      {:error, why} -> [why]
    end
  end

  defp last_calls([], model, _session), do: {:ok, model}

  defp last_calls([call | calls], model, session) do
    {answer, events} = Driver.ask(session, call)

    with false <- match?({{:wait, _}, {:error, :timeout}}, {call, answer}),
         {:ok, model} <- Session.step(model, call, answer, events) do
      last_calls(calls, model, session)
    else
      true -> {:error, {:never_ends, model}}
      wrong -> wrong
    end
  end

  # The end of one that was killed is told by others, when they have noticed.
  defp await_end(model, session, tries) do
    cond do
      Session.ended?(model) ->
        {:ok, model}

      tries == 0 ->
        {:error, {:no_end_told, model}}

      true ->
        Process.sleep(5)

        with {:ok, model} <- last_calls([:info], model, session),
             do: await_end(model, session, tries - 1)
    end
  end

  # What was wrong with the last answer that was; for the report.
  def complaint, do: Process.get(__MODULE__)

  defp advance(state, session, call, answer, events) do
    {choices, model} = Map.fetch!(state.sessions, session)

    with {:ok, model} <- Session.step(model, call, answer, events),
         do: {:ok, {choices, model}}
  end
end
