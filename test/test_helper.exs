root? = File.stat!("/proc/self").uid == 0

unless root? do
  IO.puts(
    "Not root: the tests tagged :root are skipped, since the kernel would refuse what they do."
  )
end

ExUnit.start(exclude: if(root?, do: [], else: [:root]))
