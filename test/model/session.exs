defmodule Linx.Model.Session do
  @moduledoc false
  # What a session may do, as `Linx.Process` promises it.
  #
  # A session moves on by itself, so the model holds every phase that it may be in. An answer rules out the phases in
  # which it could not have been given; the events that have arrived rule out those that have sent more or fewer.
  # When no phase is left, the promise was broken.
  #
  #     {:early, kept?}          being set up; whether an abort is kept for its checkpoint
  #     :ready                   parked
  #     :going, :aborting        told to exec or to leave; not yet known what came of it
  #     :running
  #     {:over, reached, result} `reached` is how far it came: `:early`, `:ready` or `:running`; the result is `:lost` as
  #                              long as the end of one that was killed has not been told

  alias Linx.Model.Caps

  @stop 19
  @kill 9
  # Ignored by default, signal(7): CHLD, CONT, URG, WINCH.
  @harmless [17, 18, 23, 28]

  defstruct [
    :plan,
    :caps,
    phases: [{:early, false}],
    doom: nil,
    signals: [],
    written: "",
    closing?: false,
    stopping?: false,
    gone?: false,
    pid: nil,
    told: :early,
    result: nil,
    output: "",
    owner: :test,
    exits: [:normal]
  ]

  # `plan` is what it was spawned with, see `Linx.Model.Plan`.
  def new(plan), do: %__MODULE__{plan: plan, caps: plan.caps}

  # The model after a call was answered and events came, each with who got it; or what is wrong with them. The events
  # are those sent before the answer, and perhaps some that were sent after it.
  def step(model, call, answer, events) do
    with :ok <- addressed(model, call, answer, events),
         {:ok, model} <- told(model, for({_who, event} <- events, do: event)),
         {:ok, model} <- answered(model, call, answer),
         do: consistent(model, {call, answer, events})
  end

  # Whether it ends without anybody doing anything more.
  def must_end?(%{phases: phases} = model), do: Enum.all?(phases, &must_end?(&1, model))

  defp must_end?({:over, _reached, _result}, _model), do: true
  defp must_end?(:aborting, _model), do: true
  defp must_end?({:early, true}, _model), do: true
  defp must_end?({:early, false}, %{plan: %{fault: fault}}) when fault != nil, do: true
  defp must_end?(:ready, model), do: model.doom != nil

  defp must_end?(phase, model) when phase in [:going, :running, {:early, false}] do
    on_its_way? = phase != {:early, false} or model.plan.auto?
    signals = fatal(model)
    held? = @stop in model.signals and @kill not in signals
    refused? = phase != :running and (model.doom || model.plan.exec_fault) != nil
    on_its_way? and (refused? or (not held? and (signals != [] or natural(model) != [])))
  end

  # Whether its owner has been told the end.
  def ended?(model), do: model.result != nil

  # Answers

  defp answered(model, call, answer) do
    model = if call == :stop, do: %{model | stopping?: true}, else: model
    phases = closure(model)

    after_it =
      for phase <- phases,
          {^answer, next} <- outcomes(call, phase, model),
          uniq: true,
          do: next

    if after_it == [],
      do: {:error, {:impossible_answer, call, answer, phases}},
      else: {:ok, noted(call, answer, %{model | phases: after_it})}
  end

  # What a call changes for what may come.
  defp noted({:signal, number}, :ok, model), do: %{model | signals: [number | model.signals]}

  defp noted({:write, _where, bytes}, :ok, model),
    do: %{model | written: model.written <> bytes}

  defp noted(:close_stdin, :ok, model), do: %{model | closing?: true}
  defp noted({:set_owner, owner}, :ok, model), do: %{model | owner: owner}
  defp noted(call, _answer, %{gone?: true} = model) when call in [:stop, :crash], do: model
  defp noted(:stop, :ok, model), do: %{model | gone?: true, exits: [:normal]}
  defp noted(:stop, :gone, model), do: %{model | gone?: true, exits: own_exits(model)}

  defp noted(:crash, :ok, model),
    do: %{model | gone?: true, exits: [:killed | own_exits(model)]}

  defp noted({:verb, name, args}, :ok, %{doom: nil} = model) do
    case Caps.apply_verb(model.caps, name, args) do
      {:ok, caps} -> %{model | caps: caps}
      refused -> %{model | doom: refused}
    end
  end

  defp noted(_call, _answer, model), do: model

  # With what a session that does not linger ends.
  defp own_exits(%{plan: %{linger?: true}}), do: []
  defp own_exits(model), do: for({:over, _, result} <- model.phases, do: exit_reason(result))

  defp exit_reason({:exited, 0}), do: :normal
  defp exit_reason(:aborted), do: {:shutdown, :aborted}
  defp exit_reason({:error, _errno, _stage} = error), do: {:error, error}
  defp exit_reason(result), do: result

  # Every answer that a call may get in a phase, with the phase after it. None: it is not answered there.
  defp outcomes(:stop, phase, %{gone?: true}), do: [{:gone, phase}]

  defp outcomes(:stop, {:over, _, _} = over, model),
    do: [{:ok, over} | if(model.plan.linger?, do: [], else: [{:gone, over}])]

  defp outcomes(:stop, _phase, _model), do: []

  defp outcomes(:crash, phase, model) do
    if there?(phase, model) and not match?({:over, _, _}, phase),
      do: [{:ok, {:over, reached(phase), :lost}}],
      else: [{:ok, phase}]
  end

  # Who waits when it ends is told, even if it does not stay.
  defp outcomes(call, {:over, _, _} = over, %{gone?: false, plan: %{linger?: false}} = model) do
    ended_before? = Enum.all?(model.phases, &match?({:over, _, _}, &1))

    told =
      if waits?(call) and not ended_before?, do: List.wrap(in_phase(call, over, model)), else: []

    [{{:error, :no_process}, over} | told]
  end

  defp outcomes(call, phase, model) do
    if there?(phase, model) do
      call |> in_phase(phase, model) |> List.wrap()
    else
      [{{:error, :no_process}, phase}]
    end
  end

  defp waits?({:wait, timeout}), do: timeout > 0
  defp waits?(call), do: call in [:host_pid, :info]

  defp in_phase(:proceed, phase, _model) do
    case phase do
      {:early, _kept} -> stays({:error, :not_ready}, phase)
      :ready -> {:ok, :going}
      :aborting -> []
      {:over, _, _} -> stays({:error, :no_process}, phase)
      _on_its_way -> stays({:error, :running}, phase)
    end
  end

  defp in_phase({:verb, _name, _args}, phase, _model) do
    case phase do
      {:early, _kept} -> stays({:error, :not_ready}, phase)
      :ready -> stays(:ok, phase)
      :aborting -> []
      {:over, _, _} -> stays({:error, :no_process}, phase)
      _on_its_way -> stays({:error, :running}, phase)
    end
  end

  defp in_phase(:abort, phase, model) do
    case phase do
      {:early, false} -> abort_early(model)
      {:early, true} -> stays(:ok, phase)
      :ready -> {:ok, :aborting}
      :aborting -> stays(:ok, phase)
      {:over, _, _} -> stays({:error, :no_process}, phase)
      _on_its_way -> stays({:error, :running}, phase)
    end
  end

  defp in_phase({:signal, _number}, phase, _model) do
    case phase do
      :aborting -> []
      {:over, _, _} -> stays({:error, :no_process}, phase)
      _any -> stays(:ok, phase)
    end
  end

  defp in_phase(:host_pid, phase, model) do
    case phase do
      {:early, _kept} -> []
      {:over, :early, _result} -> stays({:error, :no_process}, phase)
      _parked_once -> stays({:ok, model.pid}, phase)
    end
  end

  defp in_phase(:info, phase, _model) when phase in [:going, :aborting], do: []
  defp in_phase(:info, phase, model), do: for(i <- infos(phase, model), do: {{:ok, i}, phase})

  defp in_phase({:wait, _timeout}, {:over, _, result} = phase, _model),
    do: stays(outcome(result), phase)

  defp in_phase({:wait, _timeout}, phase, _model), do: stays({:error, :timeout}, phase)

  defp in_phase({:set_owner, _who}, {:over, _, _} = phase, _model),
    do: stays({:error, :no_process}, phase)

  defp in_phase({:set_owner, _who}, phase, _model), do: stays(:ok, phase)

  defp in_phase({:write, where, _bytes}, phase, model), do: write(where, phase, model)

  defp in_phase(:close_stdin, {:over, _, _} = phase, model), do: write(:pipe, phase, model)
  defp in_phase(:close_stdin, phase, %{closing?: true}), do: stays(:ok, phase)
  defp in_phase(:close_stdin, phase, model), do: write(:pipe, phase, model)

  defp in_phase({:winsize, _size}, phase, model) do
    case phase do
      {:over, _, _} -> stays({:error, :no_process}, phase)
      _any when model.plan.pty? -> stays(:ok, phase)
      _any -> stays({:error, :no_pty}, phase)
    end
  end

  defp in_phase(:pty_master, phase, model),
    do: stays(if(model.plan.pty?, do: {:ok, :itself}, else: {:error, :no_pty}), phase)

  # Before it is known whether the child had been started, or let go on its own.
  defp abort_early(%{plan: %{auto?: false}}), do: {:ok, {:early, true}}

  defp abort_early(%{plan: plan}) do
    refused = for fault <- [plan.fault], fault != nil, do: {:over, :early, fault}
    failed = for fault <- [plan.exec_fault], fault != nil, do: {:over, :ready, fault}
    ends = for over <- refused ++ failed, do: {{:error, :no_process}, over}

    in_time =
      for next <- [{:early, true}, {:over, :early, :aborted}, {:over, :ready, :aborted}],
          do: {:ok, next}

    late = if refused ++ failed == [], do: [{{:error, :running}, :running}], else: []
    in_time ++ late ++ ends
  end

  defp write(where, phase, model) do
    cond do
      match?({:over, _, _}, phase) -> stays({:error, :no_process}, phase)
      where == :pty and not model.plan.pty? -> stays({:error, :no_pty}, phase)
      where == :pipe and not model.plan.stdin? -> stays({:error, :no_stdin}, phase)
      where == :pipe and model.closing? -> stays({:error, :no_stdin}, phase)
      phase in [:going, :aborting] -> []
      phase == :running -> stays(:ok, phase)
      true -> stays({:error, :not_running}, phase)
    end
  end

  defp infos({:early, _kept}, model),
    do: for(s <- [:starting, :spawned], do: at_a_glance(s, nil, nil, model))

  defp infos({:over, :early, result}, model), do: [at_a_glance(stage(result), nil, result, model)]

  defp infos({:over, _, result}, model),
    do: [at_a_glance(stage(result), model.pid, result, model)]

  defp infos(phase, model), do: [at_a_glance(phase, model.pid, nil, model)]

  # No session here has a PID namespace of its own.
  defp at_a_glance(stage, pid, result, %{plan: plan}) do
    %{
      mode: plan.mode,
      stage: stage,
      host_pid: pid,
      child_pid: pid,
      pty?: plan.pty?,
      result: result
    }
  end

  defp stage({:error, _errno, _stage}), do: :errored
  defp stage({kind, _number}), do: kind
  defp stage(:aborted), do: :aborted

  defp outcome({:error, _errno, _stage} = error), do: error
  defp outcome(result), do: {:ok, result}

  defp stays(answer, phase), do: {answer, phase}

  # Whether there is a process that answers.
  defp there?(_phase, %{gone?: true}), do: false
  defp there?({:over, _, _}, model), do: model.plan.linger?
  defp there?(_phase, _model), do: true

  # What a session does by itself

  defp closure(%{phases: phases} = model), do: closure(phases, [], model)

  defp closure([], seen, _model), do: seen

  defp closure([phase | rest], seen, model) do
    if phase in seen,
      do: closure(rest, seen, model),
      else: closure(moves(phase, model) ++ rest, [phase | seen], model)
  end

  defp moves(phase, %{stopping?: true} = model), do: stopped(phase, model) ++ goes(phase, model)
  defp moves(phase, model), do: goes(phase, model)

  defp goes({:early, _kept}, %{plan: %{fault: fault}}) when fault != nil,
    do: [{:over, :early, fault}]

  defp goes({:early, true}, _model), do: [:aborting]
  defp goes({:early, false}, %{plan: %{auto?: true}}), do: [:going]
  defp goes({:early, false}, _model), do: [:ready]
  defp goes(:ready, %{doom: nil}), do: []
  defp goes(:ready, model), do: [{:over, :ready, model.doom}]
  defp goes(:aborting, %{doom: nil}), do: [{:over, :ready, :aborted}]
  defp goes(:aborting, model), do: [{:over, :ready, :aborted}, {:over, :ready, model.doom}]

  defp goes(:going, model) do
    case model.doom || model.plan.exec_fault do
      nil -> [:running]
      refused -> [{:over, :ready, refused}]
    end
  end

  defp goes(:running, model) do
    for result <- natural(model) ++ for(n <- fatal(model), do: {:signaled, n}),
        do: {:over, :running, result}
  end

  # One that was killed is spoken for by others, soon.
  defp goes({:over, reached, :lost}, _model), do: [{:over, reached, {:error, 255, :session_died}}]
  defp goes({:over, _, _}, _model), do: []

  # A stop discards what is parked, and signals what runs.
  defp stopped({:early, _kept}, _model),
    do: [{:over, :early, :aborted}, {:over, :ready, :aborted}]

  defp stopped(:ready, _model), do: [{:over, :ready, :aborted}]

  defp stopped(:going, _model),
    do: [{:over, :ready, {:signaled, 15}}, {:over, :ready, {:signaled, 9}}]

  defp stopped(:running, _model), do: for(n <- [15, 9], do: {:over, :running, {:signaled, n}})
  defp stopped(_phase, _model), do: []

  defp fatal(model), do: Enum.reject(model.signals, &(&1 == @stop or &1 in @harmless))

  defp natural(%{plan: %{program: {:say, _text, code}}}), do: [{:exited, code}]
  defp natural(%{plan: %{program: :pause}}), do: []

  defp natural(%{plan: %{program: :cat} = plan} = model) do
    if model.closing? or not (plan.stdin? or plan.pty?), do: [{:exited, 0}], else: []
  end

  # Events

  # They go to the owner, and during a change of owner to the old one and then to the new.
  defp addressed(model, call, answer, events) do
    owners =
      case {call, answer} do
        {{:set_owner, new}, :ok} -> [model.owner, new]
        _no_change -> [model.owner]
      end

    case Enum.reject(events, fn {who, _event} -> who in owners end) do
      [] -> :ok
      astray -> {:error, {:events_to_somebody_else, owners, astray}}
    end
  end

  defp told(model, events) do
    Enum.reduce_while(events, {:ok, model}, fn event, {:ok, model} ->
      case hear(event, model) do
        %__MODULE__{} = model -> {:cont, {:ok, model}}
        nil -> {:halt, {:error, {:event_out_of_order, event, model.told, model.result}}}
      end
    end)
  end

  # Nothing after the end.
  defp hear(_event, %{result: result}) when result != nil, do: nil
  defp hear({:ready, pid}, %{told: :early} = model), do: %{model | told: :ready, pid: pid}
  defp hear({:running}, %{told: :ready} = model), do: %{model | told: :running}

  defp hear({stream, bytes}, %{told: :running} = model) when is_binary(bytes) do
    if stream == model.plan.stream, do: %{model | output: model.output <> bytes}
  end

  defp hear({kind, number}, model) when kind in [:exited, :signaled],
    do: %{model | result: {kind, number}}

  defp hear({:aborted}, model), do: %{model | result: :aborted}
  defp hear({:error, errno, stage}, model), do: %{model | result: {:error, errno, stage}}
  defp hear(_event, _model), do: nil

  defp consistent(model, step) do
    phases = Enum.filter(closure(model), &tells?(&1, model))

    cond do
      phases == [] -> {:error, {:impossible_events, step, closure(model)}}
      not output?(model) -> {:error, {:wrong_output, model.output, model.result}}
      true -> {:ok, %{model | phases: phases}}
    end
  end

  defp tells?({:over, reached, :lost}, model), do: {reached, nil} == {model.told, model.result}

  defp tells?({:over, reached, result}, model),
    do: {reached, result} == {model.told, model.result}

  defp tells?(phase, model), do: {reached(phase), nil} == {model.told, model.result}

  defp reached({:over, reached, _result}), do: reached
  defp reached({:early, _kept}), do: :early
  defp reached(:running), do: :running
  defp reached(_parked), do: :ready

  # A terminal echoes and edits; what a pipe brings is known to the byte.
  defp output?(%{plan: %{stream: :stdout}} = model) do
    full = expected(model)

    if match?({:exited, _}, model.result),
      do: model.output == full,
      else: String.starts_with?(full, model.output)
  end

  defp output?(%{plan: %{stream: :pty_out, program: {:say, _, _}}, result: {:exited, _}} = model),
    do: String.contains?(model.output, expected(model))

  defp output?(_model), do: true

  defp expected(%{plan: %{program: {:say, text, _code}}}), do: text
  defp expected(%{plan: %{program: :cat}} = model), do: model.written
  defp expected(_model), do: ""
end
