defmodule Linx.AgentPort.Frame do
  @moduledoc false
  # The frames of `docs/PROTOCOL.md`: the only place that knows their shapes on the wire.

  @protocol 1

  # The atoms an agent may use, so that safe decoding finds every one of them.
  @atoms ~w(
    hello launch clone fork last_cap pid
    ready running output stdout stderr pty written synced exited signaled aborted error fault none
    malformed too_large unknown_command bad_argument unknown_session id_in_use
    not_parked not_running no_stdin no_pty
    stdio connect_unix chdir no_new_privs execve protocol
    cap_drop_bounding cap_set_thread cap_set_ambient cap_raise_ambient cap_drop_ambient
    keep_only set_groups set_uid set_securebits set_mode set_iab chroot
    open_ns_net open_ns_mount open_ns_pid open_ns_uts open_ns_ipc open_ns_user open_ns_cgroup open_ns_time
    setns_net setns_mount setns_pid setns_uts setns_ipc setns_user setns_cgroup setns_time
  )a

  defguardp is_natural(number) when is_integer(number) and number >= 0

  @max_bytes 16 * 1024 * 1024

  @type id :: non_neg_integer()
  @type stream :: :stdout | :stderr | :pty
  @type result ::
          {:exited, 0..255} | {:signaled, pos_integer()} | :aborted | {:error, integer(), atom()}
  @type event ::
          {:ready, pos_integer(), pos_integer()}
          | :running
          | {:output, stream(), binary()}
          | {:written, non_neg_integer()}
          | {:synced, securebits :: non_neg_integer()}
          | {:fault, atom()}

  @type decoded ::
          {:hello, protocol :: integer(), version :: binary(), info :: map()}
          | {:event, id(), event()}
          | {:terminal, id(), result()}
          | {:refused, reason :: atom()}

  @doc "The version of the protocol that this client speaks."
  @spec protocol() :: pos_integer()
  def protocol, do: @protocol

  @doc "The atoms that an agent's frames may contain."
  @spec atoms() :: [atom()]
  def atoms, do: @atoms

  @doc "The largest frame that an agent takes, in bytes."
  @spec max_bytes() :: pos_integer()
  def max_bytes, do: @max_bytes

  @doc "A command as bytes; large binaries in it are not copied."
  @spec encode(tuple()) :: iolist()
  def encode(command), do: :erlang.term_to_iovec(command)

  @doc "What a frame of the agent says, `:error` for one that says nothing known."
  @spec decode(binary()) :: {:ok, decoded()} | :error
  # A compressed term may take any amount of memory; an agent sends none.
  def decode(<<131, 80, _compressed::binary>>), do: :error

  # Output is taken out of its frame where it is: the general decoder would copy it. Any other way to write the same is left to that.
  def decode(<<131, 104, 4, 119, 6, "output", rest::binary>> = bytes) do
    with :error <- output(rest), do: decode_any(bytes)
  end

  def decode(bytes), do: decode_any(bytes)

  # 97 and 98 begin an integer, 119 an atom, 109 a binary.
  defp output(<<97, id, rest::binary>>), do: output(rest, id)
  defp output(<<98, 0::1, id::31, rest::binary>>), do: output(rest, id)
  defp output(_other), do: :error

  for stream <- [:stdout, :stderr, :pty], name = Atom.to_string(stream) do
    defp output(<<119, unquote(byte_size(name)), unquote(name), 109, rest::binary>>, id),
      do: payload(rest, unquote(stream), id)
  end

  defp output(_other, _id), do: :error

  defp payload(<<size::32, bytes::binary-size(size)>>, stream, id),
    do: {:ok, {:event, id, {:output, stream, bytes}}}

  defp payload(_other, _stream, _id), do: :error

  defp decode_any(bytes) do
    bytes |> :erlang.binary_to_term([:safe]) |> classify()
  rescue
    ArgumentError -> :error
  end

  defp classify({:hello, protocol, version, info})
       when is_integer(protocol) and is_binary(version) and is_map(info),
       do: {:ok, {:hello, protocol, version, info}}

  defp classify({:fault, :none, reason}) when is_atom(reason), do: {:ok, {:refused, reason}}

  defp classify(frame) when is_tuple(frame) and tuple_size(frame) >= 2 do
    id = elem(frame, 1)
    if is_natural(id), do: of_session(Tuple.delete_at(frame, 1), id), else: :error
  end

  defp classify(_term), do: :error

  defp of_session({:output, stream, bytes}, id)
       when stream in [:stdout, :stderr, :pty] and is_binary(bytes),
       do: {:ok, {:event, id, {:output, stream, bytes}}}

  defp of_session({:written, n}, id) when is_natural(n), do: {:ok, {:event, id, {:written, n}}}

  defp of_session({:synced, securebits}, id) when is_natural(securebits),
    do: {:ok, {:event, id, {:synced, securebits}}}

  defp of_session({:ready, host_pid, child_pid}, id)
       when is_natural(host_pid) and host_pid > 0 and is_natural(child_pid) and child_pid > 0,
       do: {:ok, {:event, id, {:ready, host_pid, child_pid}}}

  defp of_session({:running}, id), do: {:ok, {:event, id, :running}}
  defp of_session({:fault, why}, id) when is_atom(why), do: {:ok, {:event, id, {:fault, why}}}

  defp of_session({:exited, code}, id) when code in 0..255,
    do: {:ok, {:terminal, id, {:exited, code}}}

  defp of_session({:signaled, signum}, id) when signum in 1..64,
    do: {:ok, {:terminal, id, {:signaled, signum}}}

  defp of_session({:aborted}, id), do: {:ok, {:terminal, id, :aborted}}

  defp of_session({:error, errno, stage}, id) when is_natural(errno) and is_atom(stage),
    do: {:ok, {:terminal, id, {:error, errno, stage}}}

  defp of_session(_frame, _id), do: :error
end
