# Nginx on port 80, as an ordinary user, with one capability and no way to a second one.
# Run by `make demo`; needs root, nginx and a free port 80.

defmodule Demo do
  alias Linx.Capabilities
  alias Linx.CLI.Table
  alias Linx.Run.User

  @keep [:cap_net_bind_service]
  @port 80
  @sigquit 3

  def run do
    directory = Path.join(System.tmp_dir!(), "linx-demo-#{System.pid()}")

    try do
      with {:ok, nginx} <- find_nginx(),
           :ok <- port_free(),
           {:ok, {name, user}} <- find_user() do
        prepare(directory, user)
        show(nginx, directory, name, user)
      end
    after
      File.rm_rf!(directory)
    end
  end

  defp show(nginx, directory, name, user) do
    title("Launch nginx and park it before its execve")
    argv = [nginx, "-p", directory, "-e", "error.log", "-c", "nginx.conf"]
    {:ok, session} = Linx.Process.spawn(argv: argv, stdio: :devnull)
    {:ok, pid} = Linx.Process.host_pid(session)
    {:ok, before} = Capabilities.read(pid)
    say("process #{pid} waits; nothing of nginx has run yet")

    title("Confine it: user #{name}, #{Enum.join(@keep, ",")} and nothing else")
    confine(session, user)
    {:ok, parked} = Capabilities.read(pid)
    :ok = Linx.Process.proceed(session)

    with :ok <- running(session),
         {:ok, page} <- fetch("/") do
      {:ok, running} = Capabilities.read(pid)
      columns = [{"before", before}, {"at the checkpoint", parked}, {"nginx now", running}]
      IO.write(Table.format(columns))
      say("uid of nginx: #{uid(pid)}")
      served(page)
      refused_to_nginx(directory)
      refused_to_chown(directory, user)
      stop(session)
    end
  end

  # The order matters. Dropping takes cap_setpcap, so it comes while there is one; the switch of the user
  # leaves only the permitted set; what is ambient must be inheritable.
  defp confine(session, user) do
    drop = MapSet.difference(Capabilities.Constants.all(), MapSet.new(@keep))
    :ok = Capabilities.drop_bounding(session, drop)
    :ok = Capabilities.set_groups(session, user.gid, user.groups)
    :ok = Capabilities.set_uid(session, user.uid)

    :ok =
      Capabilities.set_thread_sets(session, effective: @keep, permitted: @keep, inheritable: @keep)

    :ok = Capabilities.set_ambient(session, @keep)
  end

  defp running(session) do
    receive do
      {:linx_process, :running} ->
        :ok

      {:linx_process, :error, _, _} ->
        {:error, error} = Linx.Process.wait(session)
        {:error, Exception.message(error)}
    end
  end

  defp served(page) do
    title("Fetch a page from port #{@port}")
    say("#{status(page)}: #{page |> body() |> String.trim()}")

    if unprivileged_from() <= @port do
      say("(this machine lets everybody bind port #{@port}: net.ipv4.ip_unprivileged_port_start)")
    end
  end

  defp refused_to_nginx(directory) do
    title("Ask nginx for a file that only root may read")
    {:ok, answer} = fetch("/secret.html")
    say("#{status(answer)}; nginx's error log:")
    directory |> Path.join("error.log") |> File.read!() |> lines_with("secret") |> say()
  end

  defp refused_to_chown(directory, user) do
    title("Give away a file, under the same confinement")
    page = Path.join(directory, "html/index.html")
    argv = ["chown", "root", page]
    {:ok, session} = Linx.Process.spawn(argv: argv, stdio: :pipe, env: %{"LC_ALL" => "C"})
    {:ok, _pid} = Linx.Process.host_pid(session)
    confine(session, user)
    :ok = Linx.Process.proceed(session)
    {:ok, {:exited, status}} = Linx.Process.wait(session)
    say(String.trim(output()))
    say("chown exits with #{status}; the file is still uid #{File.stat!(page).uid}'s")
  end

  defp stop(session) do
    title("Stop nginx with SIGQUIT")
    :ok = Linx.Process.signal(session, @sigquit)

    case Linx.Process.wait(session, 10_000) do
      {:ok, {:exited, 0}} -> say("nginx exited with status 0")
      other -> {:error, "nginx did not end as it should: #{inspect(other)}"}
    end
  end

  defp output do
    receive do
      {:linx_process, stream, bytes} when stream in [:stdout, :stderr] -> bytes <> output()
    after
      0 -> ""
    end
  end

  ## Before the launch

  defp find_nginx do
    case System.find_executable("nginx") do
      nil -> {:error, "nginx was not found; script/setup installs it where there is apt"}
      path -> {:ok, path}
    end
  end

  defp port_free do
    case :gen_tcp.listen(@port, reuseaddr: true) do
      {:ok, socket} ->
        :gen_tcp.close(socket)

      {:error, :eaddrinuse} ->
        {:error, "port #{@port} is taken; stop what listens there first"}

      {:error, :eacces} ->
        {:error, "port #{@port} is for root here; run the demonstration as root"}

      {:error, reason} ->
        {:error, "port #{@port}: #{:inet.format_error(reason)}"}
    end
  end

  defp find_user do
    Enum.find_value(
      ["www-data", "nobody"],
      {:error, "neither www-data nor nobody here"},
      fn name ->
        with {:ok, user} <- User.find(name), do: {:ok, {name, user}}
      end
    )
    |> case do
      {:error, _} = error -> error
      found -> found
    end
  end

  defp prepare(directory, user) do
    html = Path.join(directory, "html")
    File.mkdir_p!(html)
    File.write!(Path.join(directory, "nginx.conf"), config())
    page = Path.join(html, "index.html")
    File.write!(page, "hello from nginx\n")
    for path <- [directory, page], do: File.chown!(path, user.uid)
    secret = Path.join(html, "secret.html")
    File.write!(secret, "for root\n")
    File.chmod!(secret, 0o600)
  end

  defp config do
    temporary =
      for kind <- ~w(client_body proxy fastcgi uwsgi scgi), do: "#{kind}_temp_path tmp;\n"

    """
    daemon off;
    worker_processes 1;
    pid nginx.pid;
    events {}
    http {
      access_log off;
      #{temporary}
      server {
        listen 127.0.0.1:#{@port};
        root html;
      }
    }
    """
  end

  ## HTTP, as much as is wanted

  # Nginx binds some milliseconds after its execve.
  defp fetch(path, tries \\ 200) do
    case :gen_tcp.connect({127, 0, 0, 1}, @port, [:binary, active: false]) do
      {:ok, socket} ->
        :ok = :gen_tcp.send(socket, "GET #{path} HTTP/1.0\r\nHost: localhost\r\n\r\n")
        {:ok, read_all(socket, "")}

      {:error, :econnrefused} when tries > 0 ->
        Process.sleep(25)
        fetch(path, tries - 1)

      {:error, reason} ->
        {:error, "nginx does not answer: #{:inet.format_error(reason)}"}
    end
  end

  defp read_all(socket, sofar) do
    case :gen_tcp.recv(socket, 0, 5_000) do
      {:ok, bytes} -> read_all(socket, sofar <> bytes)
      {:error, :closed} -> sofar
    end
  end

  defp status(answer), do: answer |> String.split("\r\n", parts: 2) |> hd()

  defp body(answer) do
    [_head, body] = String.split(answer, "\r\n\r\n", parts: 2)
    body
  end

  ## The rest

  defp uid(pid), do: File.stat!("/proc/#{pid}").uid

  defp unprivileged_from do
    "/proc/sys/net/ipv4/ip_unprivileged_port_start"
    |> File.read!()
    |> String.trim()
    |> String.to_integer()
  end

  defp lines_with(text, word) do
    text |> String.split("\n") |> Enum.filter(&String.contains?(&1, word)) |> Enum.join("\n  ")
  end

  defp title(text), do: IO.puts(IO.ANSI.format(["\n", :bright, text]))
  defp say(text), do: IO.puts("  " <> text)
end

case Demo.run() do
  :ok ->
    :ok

  {:error, message} ->
    IO.puts(:stderr, "demo: " <> message)
    System.halt(1)
end
