"""Runs on a host: one HTTP request. Arguments: URL, time limit in seconds, and a JSON body for a POST."""

import json
import sys
import urllib.error
import urllib.request

url, limit = sys.argv[1], float(sys.argv[2])
body = sys.argv[3].encode() if len(sys.argv) > 3 else None
request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
try:
    reply = opener.open(request, timeout=limit)
    code, text = reply.getcode(), reply.read().decode("utf-8", "replace")
except urllib.error.HTTPError as error:
    code, text = error.code, error.read().decode("utf-8", "replace")
except Exception as error:
    code, text = 0, f"{type(error).__name__}: {error}"
sys.stdout.write(json.dumps({"code": code, "text": text}) + "\n")
