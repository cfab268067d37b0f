"""Runs on a host: pings from the chips' own ports. Arguments: hccn_tool, seconds for a ping, [[device, address]].

Devices are asked side by side, the addresses of one device one after another. Prints {"device address": result}.
"""

import json
import re
import subprocess
import sys
import threading
import time

tool, limit, pairs = sys.argv[1], float(sys.argv[2]), json.loads(sys.argv[3])
loss = re.compile(r"(\d+(?:\.\d+)?)% packet loss")
found = {}


def ping(device, address):
    for _ in range(3):
        try:
            done = subprocess.run(
                [tool, "-i", str(device), "-ping", "-g", "address", address],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=limit,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return "silent"
        except OSError as error:
            return str(error)
        text = done.stdout.decode("utf-8", "replace")
        match = loss.search(text)
        if match:
            return "ok" if float(match.group(1)) < 100 else "lost"
        if "busy" not in text:
            break
        time.sleep(1)
    return (text.strip().splitlines() or ["no answer"])[-1][:100]


def rail(device, addresses):
    for address in addresses:
        found[f"{device} {address}"] = ping(device, address)


devices = {}
for device, address in pairs:
    devices.setdefault(device, []).append(address)
threads = [threading.Thread(target=rail, args=item) for item in devices.items()]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
sys.stdout.write(json.dumps(found) + "\n")
