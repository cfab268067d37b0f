"""A peer of libtorrent, run by the system's Python: `peer.py TORRENT FOLDER ADDRESS seed|peer`."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import libtorrent  # type: ignore[import-not-found]

# For few equal peers on one switch: everybody is unchoked, requests are deep enough for the link, no slow start.
SETTINGS = {
    "enable_dht": False, "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False,
    "announce_to_all_trackers": True, "unchoke_slots_limit": 100, "connection_speed": 200, "num_want": 200,
    "max_out_request_queue": 1500, "max_allowed_in_request_queue": 3000, "request_queue_time": 3,
    "choking_algorithm": 0, "seed_choking_algorithm": 1, "allow_multiple_connections_per_ip": True,
    "min_announce_interval": 1, "min_reconnect_time": 1, "mixed_mode_algorithm": 0, "enable_outgoing_utp": False,
    "enable_incoming_utp": False, "strict_end_game_mode": False, "prefer_rc4": False, "out_enc_policy": 2,
    "in_enc_policy": 2, "alert_mask": 0, "send_buffer_watermark": 4 << 20, "rate_limit_ip_overhead": False,
}  # fmt: skip


def main(torrent: str, folder: str, address: str, role: str) -> None:
    """Take part until ended; leave a file called done when all has come."""
    session = libtorrent.session({**SETTINGS, "listen_interfaces": f"{address}:6881"})
    added = libtorrent.add_torrent_params()
    added.ti, added.save_path = libtorrent.torrent_info(torrent), folder
    if role == "seed":
        added.flags |= libtorrent.torrent_flags.seed_mode
    added.flags &= ~libtorrent.torrent_flags.auto_managed
    added.flags &= ~libtorrent.torrent_flags.paused
    handle = session.add_torrent(added)
    while True:
        if role == "peer" and handle.status().is_seeding:
            (Path(folder) / "done").touch()
            role = "done"
        time.sleep(0.05)


if __name__ == "__main__":
    main(*sys.argv[1:])
