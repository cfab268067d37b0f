"""Signed deliveries: the vendor's archives with signatures of an authority that the lab makes for itself."""

from tests.lab.vendor.signing.authority import Authority, SigningError, ensure
from tests.lab.vendor.signing.deliveries import deliver

__all__ = ["Authority", "SigningError", "deliver", "ensure"]
