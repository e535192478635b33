defmodule Linx.Launcher.Plan do
  @moduledoc false
  # From the settings of a launcher to the options of its session and the verbs to send it, or to what is wrong with them.

  alias Linx.Capabilities.Verb
  alias Linx.Launcher
  alias Linx.Native
  alias Linx.Process.Session

  # Groups before the user id, which gives away the right to them; ids before the sets they would clear; the
  # tuple before the mode, which locks the secure bits. The root directory comes first, while there is the right to it.
  @order [:chroot, :groups, :uid, :iab, :mode]

  # Options of a session that the launcher decides on.
  @own [:argv, :path, :env, :caps, :auto_proceed]

  @spec new(Launcher.t()) :: {:ok, keyword(), [Session.verb()]} | {:error, term()}
  def new(launcher) do
    with {:ok, verbs} <- verbs(launcher),
         :ok <- agree(launcher.mode, List.keyfind(verbs, :set_iab, 0)),
         :ok <- check_callback(launcher.callback),
         :ok <- check_options(launcher.options) do
      {:ok, options(launcher), verbs}
    end
  end

  defp verbs(launcher) do
    Enum.reduce_while(@order, {:ok, []}, fn setting, {:ok, verbs} ->
      case verb(setting, Map.fetch!(launcher, setting)) do
        nil -> {:cont, {:ok, verbs}}
        {:ok, verb} -> {:cont, {:ok, verbs ++ [verb]}}
        {:error, reason} -> {:halt, {:error, reason}}
      end
    end)
  end

  defp verb(_setting, nil), do: nil
  defp verb(:chroot, path), do: Verb.set_chroot(path)
  defp verb(:groups, {gid, groups}), do: Verb.set_groups(gid, groups)
  defp verb(:uid, uid), do: Verb.set_uid(uid)
  defp verb(:iab, iab), do: Verb.set_iab(iab)
  defp verb(:mode, mode), do: Verb.set_mode(mode)

  defp agree(mode, iab) when mode == nil or iab == nil, do: :ok

  defp agree(mode, {:set_iab, inheritable, ambient, _blocked}) do
    {empties_inheritable?, empties_ambient?} = Native.mode_empties(mode)

    cond do
      empties_ambient? and ambient != 0 ->
        {:error, {:contradiction, {mode, :ambient}}}

      empties_inheritable? and inheritable != 0 ->
        {:error, {:contradiction, {mode, :inheritable}}}

      true ->
        :ok
    end
  end

  defp check_callback(callback) when callback == nil or is_function(callback, 1), do: :ok
  defp check_callback(callback), do: {:error, {:bad_callback, callback}}

  defp check_options(options) do
    if Keyword.keyword?(options) do
      case Enum.find(Keyword.keys(options), &(&1 in @own)) do
        nil -> :ok
        key -> {:error, {:contradiction, {:option, key}}}
      end
    else
      {:error, {:bad_options, options}}
    end
  end

  # Where the VM stands is no place in a new root.
  defp options(launcher) do
    env = if launcher.env == nil, do: [], else: [env: launcher.env]
    options = [argv: launcher.args, path: launcher.path] ++ env ++ launcher.options
    if launcher.chroot == nil, do: options, else: Keyword.put_new(options, :cwd, "/")
  end
end
