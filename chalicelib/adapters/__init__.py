"""The world behind the ports: AWS, SQLite, memory, HTTP. Thin, async, under one shared contract suite."""
