defmodule Linx.Process.Options do
  @moduledoc false
  # The one validator of what `Linx.Process.spawn/1` and `enter/2` are given.

  import Bitwise, only: [<<<: 2]

  alias Linx.AgentPort.{Frame, Heritage}
  alias Linx.Process.LaunchCaps

  @namespaces [:net, :mount, :pid, :uts, :ipc, :user, :cgroup, :time]

  # In the order in which their values are looked at.
  @keys [
    :argv,
    :path,
    :env,
    :cwd,
    :stdio,
    :owner,
    :tag,
    :linger,
    :auto_proceed,
    :orphan_policy,
    :kill_tree,
    :no_new_privs,
    :caps,
    :agent,
    :namespaces
  ]

  @fds [:stdin, :stdout, :stderr]
  @max_grace (1 <<< 32) - 1

  @enforce_keys [:mode, :owner]
  defstruct [
    :mode,
    :target,
    :owner,
    :argv,
    :path,
    :env,
    :cwd,
    :vm_cwd,
    :namespaces,
    tag: :none,
    stdio: {:inherit, :inherit, :inherit},
    linger: true,
    auto_proceed: false,
    orphan_policy: {:kill, 5000},
    kill_tree: true,
    no_new_privs: false,
    caps: [],
    agent: :shared
  ]

  @type endpoint ::
          :inherit
          | :devnull
          | :pipe
          | :stdout
          | {:file, binary()}
          | {:connect_unix, binary()}

  @type t :: %__MODULE__{
          mode: :spawn | :enter,
          target: pos_integer() | nil,
          owner: pid(),
          argv: [binary(), ...],
          path: binary() | nil,
          env: [binary()] | nil,
          cwd: binary() | nil,
          vm_cwd: binary() | nil,
          namespaces: [atom()] | nil,
          tag: :none | {:tag, term()},
          stdio: :pty | {endpoint(), endpoint(), endpoint()},
          linger: boolean(),
          auto_proceed: boolean(),
          orphan_policy: {:kill, non_neg_integer()} | :linger,
          kill_tree: boolean(),
          no_new_privs: boolean(),
          caps: [tuple()],
          agent: :shared | :dedicated
        }

  @doc """
  Validated options. An unknown key is reported first, then a bad `argv`, then the others in the order above.

  Environment and working directory, unless given, are the VM's as they are now.
  """
  @spec new(term(), :spawn | {:enter, pos_integer()}) :: {:ok, t()} | {:error, term()}
  def new(opts, mode) do
    with :ok <- known(opts),
         {:ok, options} <- cast(opts, base(mode)) do
      env = options.env || Heritage.env(options.agent)
      options = %{options | env: env, vm_cwd: Heritage.cwd()}
      if too_large?(options), do: {:error, {:bad_argv, options.argv}}, else: {:ok, options}
    end
  end

  @doc "The spec of a spawn frame for an agent whose working directory is `agent_cwd`."
  @spec spec(t(), binary() | nil) :: map()
  def spec(%__MODULE__{} = options, agent_cwd) do
    cwd = if options.vm_cwd != agent_cwd, do: options.vm_cwd

    %{
      argv: options.argv,
      stdio: options.stdio,
      verbs: options.caps,
      proceed: options.auto_proceed,
      no_new_privs: options.no_new_privs,
      orphan: options.orphan_policy,
      kill_tree: options.kill_tree
    }
    |> put_some(:path, options.path)
    |> put_some(:env, options.env)
    |> put_some(:cwd, options.cwd || cwd)
    |> put_some(:namespaces, options.namespaces)
    |> put_some(:enter, options.target)
  end

  defp put_some(map, _key, nil), do: map
  defp put_some(map, key, value), do: Map.put(map, key, value)

  defp base(:spawn), do: %__MODULE__{mode: :spawn, owner: self()}
  defp base({:enter, target}), do: %__MODULE__{mode: :enter, target: target, owner: self()}

  defp known(opts) do
    if Keyword.keyword?(opts) do
      case Enum.reject(Keyword.keys(opts), &(&1 in @keys)) do
        [] -> :ok
        [key | _] -> {:error, {:unknown_option, key}}
      end
    else
      {:error, :argv_required}
    end
  end

  defp cast(opts, base) do
    Enum.reduce_while(@keys, {:ok, base}, fn key, {:ok, options} ->
      case cast_key(key, Keyword.fetch(opts, key)) do
        :default -> {:cont, {:ok, options}}
        {:ok, value} -> {:cont, {:ok, %{options | key => value}}}
        {:error, reason} -> {:halt, {:error, reason}}
      end
    end)
  end

  defp cast_key(:argv, :error), do: {:error, :argv_required}
  defp cast_key(_key, :error), do: :default

  defp cast_key(key, {:ok, value}) do
    case check(key, value) do
      :bad -> {:error, {bad(key), value}}
      result -> result
    end
  end

  for key <- @keys do
    defp bad(unquote(key)), do: unquote(:"bad_#{key}")
  end

  defp check(:argv, argv) when not is_list(argv), do: {:error, :argv_required}
  defp check(:argv, [_ | _] = argv), do: all(argv, &string?/1)
  defp check(:env, env) when is_map(env) and not is_struct(env), do: pairs(Map.to_list(env))
  defp check(:env, env) when is_list(env), do: pairs(env)

  defp check(key, path) when key in [:path, :cwd],
    do: if(string?(path), do: {:ok, path}, else: :bad)

  defp check(:stdio, stdio), do: stdio(stdio)
  defp check(:owner, owner) when is_pid(owner), do: {:ok, owner}
  defp check(:tag, tag), do: {:ok, {:tag, tag}}

  defp check(key, flag)
       when key in [:linger, :auto_proceed, :kill_tree, :no_new_privs] and is_boolean(flag),
       do: {:ok, flag}

  defp check(:orphan_policy, :linger), do: {:ok, :linger}

  defp check(:orphan_policy, {:kill, grace} = policy) when grace in 0..@max_grace,
    do: {:ok, policy}

  defp check(:caps, caps), do: LaunchCaps.verbs(caps)
  defp check(:agent, agent) when agent in [:shared, :dedicated], do: {:ok, agent}
  defp check(:namespaces, types), do: namespaces(types)
  defp check(_key, _value), do: :bad

  defp all(list, fun), do: if(proper?(list) and Enum.all?(list, fun), do: {:ok, list}, else: :bad)

  defp proper?([_ | tail]), do: proper?(tail)
  defp proper?(tail), do: tail == []

  defp string?(term), do: is_binary(term) and :binary.match(term, <<0>>) == :nomatch

  defp pairs(list) do
    with {:ok, list} <- all(list, &pair?/1), do: {:ok, Enum.map(list, &join/1)}
  end

  defp pair?({name, value}) do
    string?(name) and name != "" and :binary.match(name, "=") == :nomatch and string?(value)
  end

  defp pair?(<<"=", _rest::binary>>), do: false
  defp pair?(entry), do: string?(entry) and :binary.match(entry, "=") != :nomatch

  defp join({name, value}), do: name <> "=" <> value
  defp join(entry), do: entry

  defp stdio(:pty), do: {:ok, :pty}
  defp stdio(same) when same in [:inherit, :devnull, :pipe], do: {:ok, {same, same, same}}

  defp stdio(list) do
    with true <- Keyword.keyword?(list) and Enum.all?(Keyword.keys(list), &(&1 in @fds)),
         [stdin, stdout, stderr] = for(fd <- @fds, do: Keyword.get(list, fd, :inherit)),
         true <- endpoint?(stdin) and endpoint?(stdout),
         true <- stderr == :stdout or endpoint?(stderr) do
      {:ok, {stdin, stdout, stderr}}
    else
      false -> :bad
    end
  end

  defp endpoint?(same) when same in [:inherit, :devnull, :pipe], do: true
  defp endpoint?({kind, path}) when kind in [:file, :connect_unix], do: string?(path)
  defp endpoint?(_term), do: false

  defp namespaces(types) do
    if is_list(types) and proper?(types) do
      case Enum.reject(types, &(&1 in @namespaces)) do
        [] -> {:ok, Enum.uniq(types)}
        unknown -> {:error, {:bad_namespaces, unknown}}
      end
    else
      :bad
    end
  end

  # The kernel takes 6 MiB of arguments and environment at most, so nothing that could run is refused.
  defp too_large?(options) do
    :erlang.external_size({:spawn, 0, spec(options, nil)}) > Frame.max_bytes() - 65_536
  end
end
