"""What the simulated site is made of: an engine, images, a network, a service host, servers."""
