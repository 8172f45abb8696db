"""Where plugins (WebAssembly) will run, under limits and with granted capabilities only. Nothing runs here yet."""
