"""The simulated site: bare servers, a service host and their network, all on this machine."""
