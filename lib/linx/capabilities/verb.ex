defmodule Linx.Capabilities.Verb do
  @moduledoc false
  # From the arguments of a checkpoint verb to the verb as `docs/PROTOCOL.md` has it, or to what is wrong with them. Nothing is
  # sent here: `Linx.Capabilities` sends one at a time, `Linx.Launcher` looks at all of them first.

  alias Linx.Capabilities.{IAB, Mask, Securebits, ThreadSets}
  alias Linx.Native
  alias Linx.Process.Session

  @type result :: {:ok, Session.verb()} | {:error, term()}

  # 2^32 - 1 means "leave it unchanged" to the kernel.
  @max_id 0xFFFF_FFFE

  # The verbs whose one argument is an enumerable of capabilities.
  @spec of_caps(atom(), term()) :: result()
  def of_caps(name, caps) do
    with {:ok, mask} <- Mask.cast(caps), do: {:ok, {name, mask}}
  end

  @spec set_thread_sets(term()) :: result()
  def set_thread_sets(sets) do
    with {:ok, {effective, permitted, inheritable}} <- ThreadSets.validate(sets),
         do: {:ok, {:set_thread_sets, effective, permitted, inheritable}}
  end

  @spec set_groups(term(), term()) :: result()
  def set_groups(gid, groups) do
    with :ok <- check_gid(gid),
         :ok <- check_gids(groups, groups),
         do: {:ok, {:set_groups, gid, groups}}
  end

  @spec set_uid(term()) :: result()
  def set_uid(uid) when uid in 0..@max_id, do: {:ok, {:set_uid, uid}}
  def set_uid(uid), do: {:error, {:bad_uid, uid}}

  @spec set_securebits(term()) :: result()
  def set_securebits(securebits) do
    with {:ok, bits} <- Securebits.to_bits(securebits), do: {:ok, {:set_securebits, bits}}
  end

  @spec set_mode(term()) :: result()
  def set_mode(mode) do
    if Native.mode?(mode), do: {:ok, {:set_mode, mode}}, else: {:error, {:bad_mode, mode}}
  end

  @spec set_iab(term()) :: result()
  def set_iab(text) when is_binary(text) do
    with {:ok, iab} <- IAB.from_text(text), do: set_iab(iab)
  end

  def set_iab(%IAB{} = iab) do
    {inheritable, ambient, blocked} = IAB.to_masks(iab)
    {:ok, {:set_iab, inheritable, ambient, blocked}}
  rescue
    # A tuple that was not made by the functions of its module.
    _no_capabilities in [ArgumentError, Protocol.UndefinedError] -> {:error, {:bad_iab, iab}}
  end

  def set_iab(iab), do: {:error, {:bad_iab, iab}}

  @spec set_chroot(term()) :: result()
  def set_chroot(path) do
    if is_binary(path) and :binary.match(path, <<0>>) == :nomatch,
      do: {:ok, {:chroot, path}},
      else: {:error, {:bad_path, path}}
  end

  defp check_gids([], _groups), do: :ok

  defp check_gids([gid | rest], groups) do
    with :ok <- check_gid(gid), do: check_gids(rest, groups)
  end

  defp check_gids(_no_list, groups), do: {:error, {:bad_gid, groups}}

  defp check_gid(gid) when gid in 0..@max_id, do: :ok
  defp check_gid(gid), do: {:error, {:bad_gid, gid}}
end
