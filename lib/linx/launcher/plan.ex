defmodule Linx.Launcher.Plan do
  @moduledoc false
  # From the settings of a launcher to the options of its session and the verbs to send it, or to what is wrong with them.

  alias Linx.Capabilities.Verb
  alias Linx.Launcher
  alias Linx.Native
  alias Linx.Process.Session

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
    Enum.reduce_while(Native.settings(), {:ok, []}, fn setting, {:ok, verbs} ->
      case verb(setting, launcher) do
        nil -> {:cont, {:ok, verbs}}
        {:ok, verb} -> {:cont, {:ok, verbs ++ [verb]}}
        {:error, reason} -> {:halt, {:error, reason}}
      end
    end)
  end

  defp verb(:chroot, %{chroot: path}) when path != nil, do: Verb.set_chroot(path)
  defp verb(:groups, %{groups: {gid, groups}}), do: Verb.set_groups(gid, groups)
  defp verb(:user, %{uid: uid}) when uid != nil, do: Verb.set_uid(uid)
  defp verb(:iab, %{iab: iab}) when iab != nil, do: Verb.set_iab(iab)
  defp verb(:mode, %{mode: mode}) when mode != nil, do: Verb.set_mode(mode)
  defp verb(_setting, _not_asked_for), do: nil

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
