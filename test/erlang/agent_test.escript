#!/usr/bin/env escript
%% -*- erlang -*-
%% The agent's port protocol from plain Erlang: nothing of Linx but the agent itself.
%%
%%     escript agent_test.escript /path/to/linx-agent
%%
%% Run as root: dropping from the bounding set takes cap_setpcap.

-define(NET_BIND_SERVICE, (1 bsl 10)).
-define(EPERM, 1).

main([Agent]) ->
    Port = open_port({spawn_executable, Agent},
                     [{packet, 4}, binary, nouse_stdio, exit_status]),
    {hello, 1, Version, #{launch := clone, last_cap := LastCap, pid := _}} = next(Port),
    io:format("agent ~s, the kernel's last capability is ~b~n", [Version, LastCap]),
    confined_launch(Port, LastCap),
    kernel_refusal(Port),
    malformed_frame(Port),
    true = port_close(Port),
    io:format("3 passed, 0 failed~n").

%% Park a child, drop all but one capability from its bounding set, look, let it exec.
confined_launch(Port, LastCap) ->
    Id = 1,
    send(Port, {spawn, Id, #{argv => [<<"sh">>, <<"-c">>, <<"exit 7">>],
                             stdio => {devnull, inherit, inherit}}}),
    {ready, Id, Pid, Pid} = next(Port),
    All = (1 bsl (LastCap + 1)) - 1,
    send(Port, {verb, Id, {drop_bounding, All band bnot ?NET_BIND_SERVICE}}),
    send(Port, {sync, Id}),
    {synced, Id, _Securebits} = next(Port),
    ?NET_BIND_SERVICE = bounding(Pid),
    send(Port, {proceed, Id}),
    {running, Id} = next(Port),
    {exited, Id, 7} = next(Port),
    io:format("confined, launched, exited~n").

%% An ambient capability has to be inheritable; this child has none that is.
kernel_refusal(Port) ->
    Id = 2,
    send(Port, {spawn, Id, #{argv => [<<"true">>]}}),
    {ready, Id, _, _} = next(Port),
    send(Port, {verb, Id, {set_ambient, ?NET_BIND_SERVICE}}),
    {error, Id, ?EPERM, cap_set_ambient} = next(Port),
    io:format("refused by the kernel~n").

%% What is no term is answered, and harms nobody.
malformed_frame(Port) ->
    port_command(Port, <<"not a term">>),
    {fault, none, malformed} = next(Port),
    Id = 3,
    send(Port, {spawn, Id, #{argv => [<<"true">>], proceed => true}}),
    {ready, Id, _, _} = next(Port),
    {running, Id} = next(Port),
    {exited, Id, 0} = next(Port),
    io:format("a malformed frame was refused~n").

send(Port, Term) ->
    port_command(Port, term_to_binary(Term)).

next(Port) ->
    receive
        {Port, {data, Frame}} -> binary_to_term(Frame, [safe]);
        {Port, {exit_status, Status}} -> error({agent_ended, Status})
    after 10000 -> error(agent_is_silent)
    end.

bounding(Pid) ->
    {ok, Status} = file:read_file(io_lib:format("/proc/~b/status", [Pid])),
    {match, [Hex]} = re:run(Status, "CapBnd:\\s*([0-9a-f]+)", [{capture, [1], binary}]),
    binary_to_integer(Hex, 16).
