"""Requests to an object store: the vendor's signature in the header (HMAC-SHA1), XML answers."""

from __future__ import annotations

import base64
import hashlib
import hmac
import urllib.error
import urllib.parse
import urllib.request
from email.utils import formatdate
from xml.etree import ElementTree

from options import FAILED, ObsutilError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

TIMEOUT_SECONDS = 30


def signature(secret: str, method: str, headers: dict[str, str], resource: str) -> str:
    """Return the signature of a request; *headers* with small names."""
    own = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers) if name.startswith("x-obs-"))
    fixed = [method, headers.get("content-md5", ""), headers.get("content-type", ""), headers.get("date", "")]
    text = "\n".join(fixed) + "\n" + own + resource
    return base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()).decode()


def failure(what: str, error: urllib.error.HTTPError) -> ObsutilError:
    """Return the store's refusal in the vendor's words."""
    fields = {"Code": "", "Message": "", "RequestId": error.headers.get("x-obs-request-id", "")}
    try:
        for element in ElementTree.fromstring(error.read()):  # noqa: S314  # the lab's own server answers
            fields[element.tag] = element.text or ""
    except ElementTree.ParseError:
        fields["Code"] = "NoSuchKey" if error.code == 404 else ""
    text = f"status [{error.code}], error code [{fields['Code']}], error message [{fields['Message']}]"
    return ObsutilError(FAILED, f"{what} failed, {text}, request id [{fields['RequestId']}]")


class Store:
    """An object store at *endpoint*, asked in the name of *ak*."""

    def __init__(self, endpoint: str, ak: str, sk: str) -> None:
        self._endpoint, self._ak, self._sk = endpoint, ak, sk
        host = urllib.parse.urlsplit(endpoint).hostname or ""
        # An address has no subdomains: there the bucket goes into the path.
        self._path_style = all(part.isdigit() for part in host.split("."))

    def ask(
        self,
        what: str,
        method: str,
        bucket: str = "",
        key: str = "",
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        body: Any = None,
    ) -> Any:
        """Return the open answer; *what* says for an error what was tried.

        Raises ObsutilError: the store refuses or does not answer.
        """
        sent = {
            "date": formatdate(usegmt=True),
            "content-type": "application/octet-stream" if body else "",
            **(headers or {}),
        }
        quoted = urllib.parse.quote(key)
        resource = f"/{bucket}/{quoted}" if bucket else "/"
        sent["authorization"] = f"OBS {self._ak}:{signature(self._sk, method, sent, resource)}"
        request = urllib.request.Request(self._url(bucket, quoted, query), data=body, method=method)
        for name, value in sent.items():
            if value:
                request.add_header(name, value)
        try:
            return urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
        except urllib.error.HTTPError as error:
            raise failure(what, error) from error
        except (urllib.error.URLError, OSError) as error:
            raise ObsutilError(FAILED, f"{what} failed, error [{getattr(error, 'reason', error)}]") from error

    def _url(self, bucket: str, quoted: str, query: dict[str, str] | None) -> str:
        parts = urllib.parse.urlsplit(self._endpoint)
        place = f"{parts.scheme}://{parts.netloc}"
        if bucket and not self._path_style:
            place = f"{parts.scheme}://{bucket}.{parts.netloc}"
        elif bucket:
            place += f"/{bucket}"
        return f"{place}/{quoted}" + (f"?{urllib.parse.urlencode(query)}" if query else "")

    def buckets(self) -> list[dict[str, str]]:
        root = ElementTree.fromstring(self.ask("List buckets", "GET").read())  # noqa: S314
        return [fields(element) for element in root.iter() if local(element) == "Bucket"]

    def objects(self, bucket: str, prefix: str, folders: bool = False) -> tuple[list[dict[str, str]], list[str]]:
        """Return all objects below *prefix*, and with *folders* only those right there and the folders."""
        marker, found, prefixes = "", [], []
        while True:
            query = {"prefix": prefix, "marker": marker, "max-keys": "1000", **({"delimiter": "/"} if folders else {})}
            root = ElementTree.fromstring(self.ask("List objects", "GET", bucket, query=query).read())  # noqa: S314
            found += [fields(element) for element in root.iter() if local(element) == "Contents"]
            prefixes += [fields(element)["Prefix"] for element in root.iter() if local(element) == "CommonPrefixes"]
            answer = fields(root)
            if answer.get("IsTruncated") != "true":
                return found, prefixes
            marker = answer.get("NextMarker") or found[-1]["Key"]


def local(element: ElementTree.Element) -> str:
    """Return the name of *element* without its namespace."""
    return element.tag.rpartition("}")[2]


def fields(element: ElementTree.Element) -> dict[str, str]:
    return {local(child): child.text or "" for child in element}
