"""Ask a service one chat completion; sent to the service's host and run there, so standard library only.

A person's machine often has no route to the port; the host that serves has. Prints one JSON document:
{"answer": text} or {"error": text}.
"""

import json
import sys
import urllib.error
import urllib.request


def ask(url: str, model: str, question: str, tokens: int, limit_seconds: float) -> dict[str, object]:
    """Return {"answer"} or {"error"} for one question to the service at *url*."""
    words = {
        "model": model,
        "max_tokens": tokens,
        "temperature": 0,
        "messages": [{"role": "user", "content": question}],
    }
    request = urllib.request.Request(  # noqa: S310 - the address comes from the rendered site
        url + "/v1/chat/completions", json.dumps(words).encode(), {"Content-Type": "application/json"}
    )
    try:
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({})
        )  # a site's proxy does not know its own hosts
        with opener.open(request, timeout=limit_seconds) as reply:
            document = json.load(reply)
        return {"answer": document["choices"][0]["message"]["content"] or ""}
    except urllib.error.HTTPError as error:
        return {"error": f"HTTP {error.code}: {error.read(500).decode('utf-8', 'replace')}"}
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        return {"error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    sys.stdout.write(
        json.dumps(ask(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), float(sys.argv[5]))) + "\n"
    )
