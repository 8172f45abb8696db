"""The hands: take an intent, run what is ready, commit, send, acknowledge. Async; knows ports, not adapters."""
