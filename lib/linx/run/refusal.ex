defmodule Linx.Run.Refusal do
  @moduledoc false
  # What went wrong, as one sentence, and the exit status that `env(1)` and the shells give it.

  alias Linx.Native

  @own_failure 125
  @not_executable 126
  @not_found 127

  # What was refused, and the privilege it takes or else the words for what it takes.
  @steps %{
    cap_drop_bounding: {"drop capabilities from the bounding set", :drop_bounding},
    cap_set_thread: {"set the effective, permitted and inheritable sets", :inherit},
    cap_set_ambient: {"set the ambient set", "each in the permitted and inheritable sets"},
    keep_only: {"keep these capabilities only", :drop_bounding},
    set_groups: {"set the groups", :set_groups},
    set_uid: {"set the user", :set_uid}
  }

  @doc "A launch that never began."
  @spec before_launch(term(), [String.t()]) :: {String.t(), 125}
  def before_launch({:not_permitted, cap}, _argv) do
    {"#{cap} cannot be kept: this process does not have it itself", @own_failure}
  end

  def before_launch(%{__exception__: true} = error, _argv),
    do: {Exception.message(error), @own_failure}

  def before_launch(reason, argv),
    do: {"cannot launch #{inspect(argv)}: #{inspect(reason)}", @own_failure}

  @doc """
  A launch that ended at `stage` with `errno`.

      iex> Linx.Run.Refusal.at_stage(2, :execve, ["ngnix"])
      {"ngnix: not found", 127}
      iex> Linx.Run.Refusal.at_stage(1, :set_uid, ["true"])
      {"the kernel refused to set the user: eperm (errno 1); that takes cap_setuid", 125}
  """
  @spec at_stage(integer(), atom(), [String.t(), ...]) :: {String.t(), 125..127}
  def at_stage(errno, :execve, [program | _]) do
    case Linx.Errno.name(errno) do
      :enoent -> {"#{program}: not found", @not_found}
      name -> {"#{program}: cannot be executed: #{name} (errno #{errno})", @not_executable}
    end
  end

  def at_stage(errno, stage, _argv) do
    case Map.fetch(@steps, stage) do
      {:ok, {what, needs}} ->
        {refused(what, errno) <> "; that takes #{words(needs)}", @own_failure}

      :error ->
        {Exception.message(error(errno, stage)), @own_failure}
    end
  end

  defp words(privilege) when is_atom(privilege), do: Native.needs(privilege)
  defp words(words), do: words

  defp refused(what, errno),
    do: "the kernel refused to #{what}: #{Linx.Errno.name(errno)} (errno #{errno})"

  defp error(errno, stage),
    do: %Linx.Process.Error{stage: stage, errno: Linx.Errno.name(errno), code: errno}
end
