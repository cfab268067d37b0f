"""Stand-in for the vendor's AscendCL bindings: the two questions that Ray asks them."""

from acl import rt

__all__ = ["get_soc_name", "rt"]


def get_soc_name() -> str:
    """Return the name of the chip, as AscendCL spells it."""
    return "Ascend910B2"
