defmodule Bench.Machine do
  @moduledoc "What the figures were measured on."

  @doc "Names and values, in the order they are shown."
  @spec describe() :: [{String.t(), String.t()}]
  def describe do
    [
      {"date", Date.utc_today() |> Date.to_iso8601()},
      {"revision", output("git", ["describe", "--always", "--dirty"])},
      {"processor", "#{System.schedulers_online()} × #{cpuinfo("model name")}"},
      {"memory", "#{meminfo()} MiB"},
      {"kernel", output("uname", ["-sr"])},
      {"load before", "/proc/loadavg" |> File.read!() |> String.split() |> hd()},
      {"Elixir, OTP", "#{System.version()}, #{System.otp_release()}"},
      {"Rust", output("rustc", ["--version"])},
      {"C", output("cc", ["--version"])},
      {"Go", output("go", ["version"])},
      {"libcap", output("dpkg-query", ["-W", "-f", "${Version}", "libcap2"])},
      {"setpriv", output("setpriv", ["--version"])},
      {"bwrap", output("bwrap", ["--version"])}
    ]
  end

  defp output(command, args) do
    with path when path != nil <- System.find_executable(command),
         {output, 0} <- System.cmd(path, args, stderr_to_stdout: true) do
      output |> String.split("\n") |> hd()
    else
      _absent -> "–"
    end
  end

  defp cpuinfo(field) do
    case Regex.run(~r/^#{field}\s*:\s*(.+)$/m, File.read!("/proc/cpuinfo")) do
      [_, value] -> value
      nil -> "unnamed"
    end
  end

  defp meminfo do
    [_, kib] = Regex.run(~r/^MemTotal:\s+(\d+)/m, File.read!("/proc/meminfo"))
    div(String.to_integer(kib), 1024)
  end
end
