"""Encryption between members: one certificate a run, which every member shows and which is all that they trust."""

from __future__ import annotations

import os
import ssl
from typing import Dict, Optional

# X509_V_FLAG_NO_CHECK_TIME, which Python has no name for: a bare server may have any clock, and who holds the key of
# this run is in.
NO_CHECK_TIME = 0x200000


def context(tls: Optional[Dict[str, str]], folder: str, serving: bool) -> Optional[ssl.SSLContext]:
    """Return the context for {certificate, key} (PEM), None without them; *folder* takes the file that ssl needs."""
    if not tls or not tls.get("certificate"):
        return None
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if serving else ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False  # the one certificate is for all members; who has its key is one
    made.verify_mode = ssl.CERT_REQUIRED
    made.verify_flags |= NO_CHECK_TIME
    made.load_verify_locations(cadata=tls["certificate"])
    path = os.path.join(folder, "tls-%d.pem" % os.getpid())
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as target:
            target.write(tls["key"].rstrip() + "\n" + tls["certificate"])
        made.load_cert_chain(path)
    finally:
        os.unlink(path)
    return made
