"""Bundles against real servers and real clients, all on loopback."""
