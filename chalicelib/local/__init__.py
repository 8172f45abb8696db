"""`penstock dev`: the embedded server, its schedules and its reloading of flow files."""
