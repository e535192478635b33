defmodule Linx.Model.Caps do
  @moduledoc false
  # What capabilities(7) has each verb do to a parked child, or with which errno and stage it refuses.

  alias Linx.Capabilities

  @eperm 1
  @enoent 2
  @nobody 65_534

  defstruct [:uid, :effective, :permitted, :inheritable, :bounding, :ambient, noroot?: false]

  # A child begins with what the VM has, but for what is inheritable without being ambient.
  def initial do
    {:ok, state} = Capabilities.read(:self)
    state = %{state | inheritable: MapSet.intersection(state.inheritable, state.ambient)}
    sets = Map.take(state, [:effective, :permitted, :inheritable, :bounding, :ambient])
    struct!(%__MODULE__{uid: File.stat!("/proc/self").uid}, sets)
  end

  # Verbs and their arguments, a few of each kind.
  def verbs do
    [
      drop_bounding: [[:cap_sys_boot]],
      drop_bounding: [[]],
      set_thread_sets: [[effective: [], permitted: :keep, inheritable: []]],
      set_thread_sets: [[effective: :keep, permitted: :keep, inheritable: [:cap_kill]]],
      set_thread_sets: [[effective: [:cap_kill], permitted: [:cap_kill], inheritable: :keep]],
      set_ambient: [[:cap_kill]],
      set_ambient: [[]],
      raise_ambient: [[:cap_kill]],
      drop_ambient: [[:cap_kill]],
      set_uid: [@nobody],
      set_groups: [@nobody, []],
      set_securebits: [[:noroot]],
      set_no_new_privs: [],
      set_chroot: ["/"],
      set_chroot: ["/no/such/directory"],
      set_iab: ["^cap_kill"],
      set_mode: [:nopriv],
      keep_only: [[:cap_kill]]
    ]
  end

  # Verbs that are wrong in themselves, whatever the session is at.
  def bad_verbs do
    [
      {:drop_bounding, [[:cap_nope]], {:bad_capability, :cap_nope}},
      {:set_thread_sets, [[effective: []]], {:bad_thread_sets, {:missing, :permitted}}},
      {:set_uid, [-1], {:bad_uid, -1}},
      {:set_groups, [0, [4_294_967_295]], {:bad_gid, 4_294_967_295}},
      {:set_mode, [:uncertain], {:bad_mode, :uncertain}},
      {:set_securebits, [[:nope]], {:bad_securebits, :nope}},
      {:set_chroot, ["/\0"], {:bad_path, "/\0"}}
    ]
  end

  # `{:ok, caps}`, or `{:error, errno, stage}` of the end that follows.
  def apply_verb(caps, verb, args)

  def apply_verb(caps, :drop_bounding, [dropped]) do
    dropped = MapSet.intersection(MapSet.new(dropped), caps.bounding)

    if MapSet.size(dropped) == 0 or :cap_setpcap in caps.effective,
      do: {:ok, %{caps | bounding: MapSet.difference(caps.bounding, dropped)}},
      else: {:error, @eperm, :cap_drop_bounding}
  end

  def apply_verb(caps, :set_thread_sets, [sets]) do
    new = Map.new(sets, fn {name, set} -> {name, choose(set, Map.fetch!(caps, name))} end)

    if MapSet.subset?(new.permitted, caps.permitted) and
         MapSet.subset?(new.effective, new.permitted) and
         may_inherit?(caps, new.inheritable),
       do: {:ok, caps |> Map.merge(new) |> cut_ambient()},
       else: {:error, @eperm, :cap_set_thread}
  end

  def apply_verb(caps, :set_ambient, [raised]),
    do: raise_ambient(%{caps | ambient: MapSet.new()}, raised, :cap_set_ambient)

  def apply_verb(caps, :raise_ambient, [raised]),
    do: raise_ambient(caps, raised, :cap_raise_ambient)

  def apply_verb(caps, :drop_ambient, [lowered]),
    do: {:ok, %{caps | ambient: MapSet.difference(caps.ambient, MapSet.new(lowered))}}

  def apply_verb(%{uid: uid} = caps, :set_uid, [uid]) when uid != 0 do
    # After `:nopriv` even "keep capabilities" is locked.
    if caps.noroot? == :locked,
      do: {:error, @eperm, :set_uid},
      else: {:ok, without_effective(caps)}
  end

  def apply_verb(caps, :set_uid, [uid]) do
    with :ok <- needs(caps, :cap_setuid, :set_uid) do
      {:ok, without_effective(%{caps | uid: uid, ambient: MapSet.new()})}
    end
  end

  def apply_verb(caps, :set_groups, _ids) do
    with :ok <- needs(caps, :cap_setgid, :set_groups), do: {:ok, without_effective(caps)}
  end

  def apply_verb(caps, :set_securebits, [[:noroot]]) do
    with :ok <- needs(caps, :cap_setpcap, :set_securebits) do
      {:ok, without_effective(%{caps | noroot?: true})}
    end
  end

  def apply_verb(caps, :set_no_new_privs, []), do: {:ok, caps}
  def apply_verb(_caps, :set_chroot, ["/no" <> _]), do: {:error, @enoent, :chroot}

  def apply_verb(caps, :set_chroot, ["/"]) do
    with :ok <- needs(caps, :cap_sys_chroot, :chroot), do: {:ok, caps}
  end

  def apply_verb(caps, :set_iab, ["^cap_kill"]) do
    kill = MapSet.new([:cap_kill])

    if may_inherit?(raise_setpcap(caps), kill) and :cap_kill in caps.permitted,
      do: {:ok, %{caps | inheritable: kill, ambient: kill}},
      else: {:error, @eperm, :set_iab}
  end

  def apply_verb(caps, :set_mode, [:nopriv]) do
    none = MapSet.new()

    with :ok <- needs(caps, :cap_setpcap, :set_mode) do
      sets = [:effective, :permitted, :inheritable, :bounding, :ambient]
      {:ok, Enum.reduce(sets, %{caps | noroot?: :locked}, &Map.put(&2, &1, none))}
    end
  end

  def apply_verb(caps, :keep_only, [kept]) do
    kept = MapSet.new(kept)

    if MapSet.subset?(caps.bounding, kept) or :cap_setpcap in caps.permitted do
      left = MapSet.intersection(caps.permitted, kept)
      by_bounding? = caps.uid == 0 and caps.noroot? == false
      inherited = if by_bounding?, do: MapSet.new(), else: left
      sets = %{effective: left, permitted: left, inheritable: inherited, ambient: inherited}
      {:ok, Map.merge(%{caps | bounding: MapSet.intersection(caps.bounding, kept)}, sets)}
    else
      {:error, @eperm, :keep_only}
    end
  end

  defp choose(:keep, old), do: old
  defp choose(new, _old), do: MapSet.new(new)

  defp may_inherit?(caps, new) do
    with_setpcap? = :cap_setpcap in caps.effective

    MapSet.subset?(new, MapSet.union(caps.inheritable, caps.bounding)) and
      (with_setpcap? or MapSet.subset?(new, MapSet.union(caps.inheritable, caps.permitted)))
  end

  defp raise_ambient(caps, raised, stage) do
    raised = MapSet.new(raised)

    if MapSet.subset?(raised, MapSet.intersection(caps.permitted, caps.inheritable)),
      do: {:ok, %{caps | ambient: MapSet.union(caps.ambient, raised)}},
      else: {:error, @eperm, stage}
  end

  defp cut_ambient(caps) do
    both = MapSet.intersection(caps.permitted, caps.inheritable)
    %{caps | ambient: MapSet.intersection(caps.ambient, both)}
  end

  # Verbs raise what they need if it is permitted.
  defp needs(caps, cap, stage),
    do: if(cap in caps.permitted, do: :ok, else: {:error, @eperm, stage})

  defp raise_setpcap(caps) do
    if :cap_setpcap in caps.permitted,
      do: %{caps | effective: MapSet.put(caps.effective, :cap_setpcap)},
      else: caps
  end

  defp without_effective(caps), do: %{caps | effective: MapSet.new()}
end
