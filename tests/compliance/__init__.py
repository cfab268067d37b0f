"""The compliance suite: what the inventory says against what the hosts show. `provision check` runs it."""
