defmodule Linx.Run.Plan do
  @moduledoc false
  # What has to be done to a parked child so that the workload has the kept capabilities after
  # exec, and no others.
  #
  # The bounding set is cut before, as a launch option: there it covers capabilities newer than this library too.

  alias Linx.Capabilities
  alias Linx.Capabilities.Order
  alias Linx.Run.Options

  @type step ::
          {:set_groups, non_neg_integer(), [non_neg_integer()]}
          | {:set_uid, non_neg_integer()}
          | {:keep_only, Capabilities.cap_set()}
          | {:set_thread_sets, keyword()}
          | {:set_ambient, Capabilities.cap_set()}

  @doc """
  The steps at the checkpoint, in their order.

      iex> alias Linx.Run.{Options, Plan, User}
      iex> keep = MapSet.new([:cap_net_raw])
      iex> nobody = %User{uid: 65534, gid: 65534, groups: []}
      iex> Plan.steps(%Options{argv: ["true"], keep: keep, user: nobody})
      [{:set_groups, 65534, []}, {:set_uid, 65534}, {:keep_only, MapSet.new([:cap_net_raw])}]
  """
  @spec steps(Options.t()) :: [step(), ...]
  def steps(%Options{} = options), do: Order.sort(switch(options.user) ++ sets(options))

  @doc "Takes one step on a parked session."
  @spec take(step(), Linx.Process.t()) ::
          :ok | {:error, :not_ready | :running | :no_process | {atom(), term()}}
  def take({:set_groups, gid, groups}, session), do: Capabilities.set_groups(session, gid, groups)
  def take({:set_uid, uid}, session), do: Capabilities.set_uid(session, uid)
  def take({:keep_only, caps}, session), do: Capabilities.keep_only(session, caps)
  def take({:set_thread_sets, sets}, session), do: Capabilities.set_thread_sets(session, sets)
  def take({:set_ambient, caps}, session), do: Capabilities.set_ambient(session, caps)

  defp switch(nil), do: []

  defp switch(user),
    do: [groups: {:set_groups, user.gid, user.groups}, user: {:set_uid, user.uid}]

  defp sets(%Options{ambient: nil, keep: keep}), do: [keep_only: {:keep_only, keep}]

  defp sets(%Options{ambient: ambient, keep: keep}) do
    sets = [effective: keep, permitted: keep, inheritable: ambient]
    [thread_sets: {:set_thread_sets, sets}, ambient: {:set_ambient, ambient}]
  end
end
