"""Stand-ins for the vendor's packages: sources in these folders, packed into `.run` files by `build`."""

from tests.lab.vendor.build import build

__all__ = ["build"]
