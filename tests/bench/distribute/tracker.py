"""A tracker: `tracker.py PORT READY` tells every peer of all others. One torrent, standard library."""

from __future__ import annotations

import socket
import struct
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

INTERVAL_SECONDS = 2
known: set[bytes] = set()
lock = threading.Lock()


class Tracker(BaseHTTPRequestHandler):
    """Answers one peer."""

    def do_GET(self) -> None:
        asked = parse_qs(urlsplit(self.path).query, encoding="latin-1")
        if "port" not in asked:
            self.send_error(404)
            return
        own = socket.inet_aton(self.client_address[0]) + struct.pack(">H", int(asked["port"][0]))
        with lock:
            others = sorted(known - {own})
            known.add(own)
        peers = b"".join(others)
        body = b"d8:intervali%de12:min intervali%de5:peers%d:%se" % (
            INTERVAL_SECONDS, INTERVAL_SECONDS, len(peers), peers,
        )  # fmt: skip
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("0.0.0.0", int(sys.argv[1])), Tracker)
    Path(sys.argv[2]).touch()
    server.serve_forever()
