"""The main job on the simulated site: real SSH, systemd, Docker, registry, hub clients, vLLM and Ray."""
