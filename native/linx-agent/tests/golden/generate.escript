#!/usr/bin/env escript
%% Writes commands.txt and events.txt beside this script: each protocol frame as a term, followed by
%% its bytes in hex, indented. Where two encodings of one term are common both are there.
-mode(compile).

main([]) ->
    Here = filename:dirname(escript:script_name()),
    write(Here, "commands.txt", "client to agent", commands(), fun encodings/1),
    write(Here, "events.txt", "agent to client", events(), fun(T) -> [modern(T)] end).

write(Here, Name, Direction, Terms, Encode) ->
    Head = ["%% Frames ", Direction, ", without the length header. Made by generate.escript.\n"],
    Body = [[io_lib:format("~0p.~n", [T]), [["    ", hex(B), $\n] || B <- Encode(T)]] || T <- Terms],
    ok = file:write_file(filename:join(Here, Name), [Head, Body]).

%% Atoms as ATOM_EXT (up to OTP 25) and as SMALL_ATOM_UTF8_EXT (from OTP 26 on).
encodings(T) -> lists:usort([term_to_binary(T, [{minor_version, 1}]), modern(T)]).
modern(T) -> term_to_binary(T, [{minor_version, 2}]).
hex(B) -> string:lowercase(binary:encode_hex(B)).

commands() ->
    [{spawn, 0, #{argv => [<<"true">>]}},
     {spawn, 1, #{argv => [<<"/bin/sh">>, <<"-c">>, <<>>], env => [<<"A=1">>, <<"B=">>],
                  cwd => <<"/tmp">>, stdio => {pipe, {file, <<"/dev/full">>}, stdout},
                  winsize => {24, 80, 640, 480},
                  verbs => [{drop_bounding, 16#1fffffffbff}, {set_thread_sets, 1024, 1024, keep},
                            {set_ambient, 0}, {set_groups, 100, [4, 24, 4294967294]},
                            {set_uid, 65534}],
                  proceed => true, no_new_privs => true, orphan => {kill, 0}, window => 1,
                  namespaces => [net, mount, pid], enter => 4711}},
     {spawn, 2, #{argv => [<<"cat">>], env => [], stdio => pty, orphan => linger, enter => 1}},
     {spawn, 3, #{argv => [<<"id">>], path => <<"/bin/id">>, orphan => {kill, 4294967295},
                  stdio => {{connect_unix, <<"/run/s">>}, devnull, inherit},
                  namespaces => [time, cgroup, user, ipc, uts]}},
     {verb, 18446744073709551615, {drop_bounding, 18446744073709551615}},
     {verb, 4294967296, {set_thread_sets, 0, 2147483648, keep}},
     {verb, 7, {set_ambient, 1024}},
     {verb, 7, {set_groups, 0, []}},
     {verb, 7, {set_groups, 255, [1, 2, 255]}},
     {verb, 7, {set_uid, 4294967294}},
     {verb, 7, {raise_ambient, 1}}, {verb, 7, {drop_ambient, 256}},
     {verb, 7, {keep_only, 2199023255551}}, {verb, 7, {set_securebits, 4294967295}},
     {verb, 7, {set_mode, nopriv}}, {verb, 7, {set_mode, pure1e_init}},
     {verb, 7, {set_mode, pure1e}}, {verb, 7, {set_mode, hybrid}},
     {verb, 7, {set_iab, 0, 1024, 9223372036854775808}}, {verb, 7, {set_no_new_privs}},
     {verb, 7, {chroot, <<"/srv/root">>}},
     {sync, 255}, {proceed, 256}, {abort, 2147483647}, {signal, 2147483648, 64},
     {stop, 7, 5000}, {orphan, 7}, {write, 7, <<0, 1, 255>>}, {close_stdin, 7},
     {winsize, 7, {65535, 0, 1, 256}}, {ack, 7, 65536}, {kill_leftover, 4711, 250, 70000}].

events() ->
    [{hello, 1, <<"0.1.0">>, #{launch => clone, last_cap => 40, pid => 4711}},
     {ready, 18446744073709551615, 4194304, 1}, {running, 0}, {output, 255, stdout, <<"out\n">>},
     {output, 256, stderr, <<>>}, {output, 65536, pty, <<0, 255>>}, {written, 7, 262144},
     {synced, 2147483647, 4095}, {exited, 2147483648, 255}, {signaled, 4294967295, 9},
     {aborted, 4294967296}, {error, 1099511627776, 22, protocol}, {error, 7, 1, cap_drop_bounding},
     {fault, none, too_large}]
        ++ [{fault, 7, Reason} || Reason <- [malformed, unknown_command, bad_argument,
                                            unknown_session, id_in_use, not_parked, not_running,
                                            no_stdin, no_pty]].
