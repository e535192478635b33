defmodule Linx.Capabilities.Order do
  @moduledoc false
  # The order in which the settings of a launch are made. The model has it.

  alias Linx.Native

  # What is asked for, each with the name of the setting that it is, in the order that works.
  @spec sort([{setting :: atom(), asked}]) :: [asked] when asked: term()
  def sort(asked), do: for(setting <- Native.settings(), {^setting, one} <- asked, do: one)
end
