"""The runtime half of AscendCL."""

from pathlib import Path


def get_device_count() -> tuple[int, int]:
    """Return how many cards this container was given, and 0 for success."""
    return len([*Path("/dev").glob("davinci[0-9]*")]), 0
