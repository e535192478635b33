defmodule Linx.Run.Plan do
  @moduledoc false
  # What has to be done to a parked child so that the workload has the kept capabilities after
  # exec, and no others.
  #
  # The bounding set comes first, while `cap_setpcap` is still effective, and as a launch option:
  # there it covers capabilities newer than this library too. Groups precede the uid, since they take
  # `cap_setgid`. The switch of the uid leaves the effective set empty, so the thread sets come after it.
  #
  # Root gets its permitted set at exec from the bounding set. Everybody else gets it from the
  # ambient set, which has to lie within the inheritable one.

  alias Linx.Capabilities
  alias Linx.Run.{Options, User}

  @type step ::
          {:set_groups, non_neg_integer(), [non_neg_integer()]}
          | {:set_uid, non_neg_integer()}
          | {:set_thread_sets, keyword()}
          | {:set_ambient, Capabilities.cap_set()}

  @doc """
  The steps at the checkpoint, in their order.

      iex> alias Linx.Run.{Options, Plan, User}
      iex> keep = MapSet.new([:cap_net_raw])
      iex> nobody = %User{uid: 65534, gid: 65534, groups: []}
      iex> [groups, uid, {:set_thread_sets, sets}, ambient] =
      ...>   Plan.steps(%Options{argv: ["true"], keep: keep, user: nobody})
      iex> {groups, uid, ambient}
      {{:set_groups, 65534, []}, {:set_uid, 65534}, {:set_ambient, keep}}
      iex> sets
      [effective: keep, permitted: keep, inheritable: keep]
  """
  @spec steps(Options.t()) :: [step(), ...]
  def steps(%Options{keep: keep, user: user} = options) do
    ambient = options.ambient || default_ambient(options)

    switch(user) ++
      [
        {:set_thread_sets, [effective: keep, permitted: keep, inheritable: ambient]},
        {:set_ambient, ambient}
      ]
  end

  @doc "Takes one step on a parked session."
  @spec take(step(), Linx.Process.t()) ::
          :ok | {:error, :not_ready | :running | :no_process | {atom(), term()}}
  def take({:set_groups, gid, groups}, session), do: Capabilities.set_groups(session, gid, groups)
  def take({:set_uid, uid}, session), do: Capabilities.set_uid(session, uid)
  def take({:set_thread_sets, sets}, session), do: Capabilities.set_thread_sets(session, sets)
  def take({:set_ambient, caps}, session), do: Capabilities.set_ambient(session, caps)

  defp switch(nil), do: []
  defp switch(user), do: [{:set_groups, user.gid, user.groups}, {:set_uid, user.uid}]

  defp default_ambient(%Options{keep: keep, user: user}) do
    uid = if user, do: user.uid, else: User.current()
    if uid == 0, do: MapSet.new(), else: keep
  end
end
