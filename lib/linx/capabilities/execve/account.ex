defmodule Linx.Capabilities.Execve.Account do
  @moduledoc """
  How a prediction came about: `Linx.Capabilities.Execve.explain/3`.

  | field | |
  |---|---|
  | `result` | what `Linx.Capabilities.Execve.predict/3` returns |
  | `rules` | the rules in the order the kernel asks them; see `t:rule/0` |
  | `uid`, `gid` | `{real, effective}` afterwards; `nil` where the kernel refuses |
  | `securebits` | the secure bits afterwards; `nil` where the kernel refuses |
  | `secure_exec?` | whether the program is told to be careful (`AT_SECURE` in getauxval(3)); `nil` where the kernel refuses |
  | `missing` | what the file insists on and cannot have: why the kernel refuses |
  | `interpreters` | for a script: the interpreters that led to the file whose rights count, the last one |

  As a string it is a text for people.
  """

  alias Linx.Capabilities
  alias Linx.Capabilities.{Constants, Securebits, State}
  alias Linx.Capabilities.Execve.{Program, Task}
  alias Linx.Native

  @typedoc """
  One rule asked, and what stands after it.

  `rule` is its name, `applied?` whether its condition held, `formula` the rule in short, `meaning` in a sentence what it came to.
  `permitted`, `ambient`, `euid` and `egid` are the results so far; `effective?` is whether permitted will be effective at once.
  """
  @type rule :: %{
          rule: atom(),
          applied?: boolean(),
          formula: String.t(),
          meaning: String.t(),
          permitted: Capabilities.cap_set(),
          ambient: Capabilities.cap_set(),
          effective?: boolean(),
          euid: Native.id(),
          egid: Native.id()
        }

  @type t :: %__MODULE__{
          result: {:ok, State.t()} | {:error, :eperm},
          rules: [rule()],
          uid: {Native.id(), Native.id()} | nil,
          gid: {Native.id(), Native.id()} | nil,
          securebits: MapSet.t(Securebits.securebit()) | nil,
          secure_exec?: boolean() | nil,
          missing: Capabilities.cap_set(),
          interpreters: [binary()]
        }

  @enforce_keys [:result, :rules]
  defstruct [
    :result,
    :rules,
    :uid,
    :gid,
    :securebits,
    :secure_exec?,
    missing: MapSet.new(),
    interpreters: []
  ]

  @doc false
  @spec new(Native.task(), Program.t(), Task.kernel()) :: t()
  def new(task, %{program: program, interpreters: interpreters}, kernel) do
    {findings, outcome} = Native.explain_execve(task, program, kernel)
    account = %__MODULE__{result: {:error, :eperm}, rules: [], interpreters: interpreters}
    %{outcome(outcome, account) | rules: Enum.map(findings, &rule/1)}
  end

  defp outcome({:error, missing}, account), do: %{account | missing: Constants.from_bits(missing)}

  defp outcome({:ok, after_exec}, account) do
    %{
      account
      | result: {:ok, State.from_masks(after_exec.state)},
        uid: real_and_effective(after_exec.uid),
        gid: real_and_effective(after_exec.gid),
        securebits: Securebits.from_bits(after_exec.securebits),
        secure_exec?: after_exec.secure_exec
    }
  end

  defp real_and_effective({real, effective, _saved, _fs}), do: {real, effective}

  defp rule(finding) do
    %{
      rule: finding.rule,
      applied?: finding.applied,
      formula: finding.formula,
      meaning: finding.meaning,
      permitted: Constants.from_bits(finding.permitted),
      ambient: Constants.from_bits(finding.ambient),
      effective?: finding.effective,
      euid: finding.euid,
      egid: finding.egid
    }
  end

  defimpl String.Chars do
    alias Linx.Capabilities.Constants

    @sets [:permitted, :effective, :inheritable, :bounding, :ambient]

    def to_string(account) do
      [scripts(account), Enum.map(account.rules, &rule/1), result(account)]
      |> IO.iodata_to_binary()
    end

    defp scripts(%{interpreters: []}), do: []

    defp scripts(%{interpreters: names}),
      do: ["a script: the rights of ", printable(List.last(names)), " count\n"]

    # A name from a file may be any bytes.
    defp printable(name), do: if(String.printable?(name), do: name, else: inspect(name))

    defp rule(%{applied?: applied?} = rule) do
      [if(applied?, do: "+ ", else: "- "), rule.meaning, "\n    ", rule.formula, "\n"]
    end

    defp result(%{result: {:error, :eperm}} = account),
      do: ["execve fails with EPERM; missing: ", names(account.missing), "\n"]

    defp result(%{result: {:ok, state}} = account) do
      [
        "uid ",
        id(account.uid),
        ", gid ",
        id(account.gid),
        "\n",
        for(
          set <- @sets,
          do: [String.pad_trailing("#{set}", 12), names(Map.get(state, set)), "\n"]
        )
      ]
    end

    defp id({same, same}), do: Integer.to_string(same)
    defp id({real, effective}), do: "#{real}, effective #{effective}"

    # The shorter of what is there and what is not.
    defp names(set) do
      absent = MapSet.difference(Constants.all(), set)

      cond do
        MapSet.size(set) == 0 -> "none"
        MapSet.size(absent) == 0 -> "all"
        MapSet.size(absent) < MapSet.size(set) -> "all but " <> list(absent)
        true -> list(set)
      end
    end

    defp list(set),
      do: set |> Enum.sort_by(&Constants.to_bit/1) |> Enum.map_join(",", &Atom.to_string/1)
  end
end
