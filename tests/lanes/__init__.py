"""Every lane of the lab through the life of a host: bare, dry run, up, up again, check, down, purge, up, rebuild."""
