"""The key `bundle` of a site file: what a bundle holds beside the rest, and the server that stands for all mirrors."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StrictInt

from driver.site_values import Label, Matching, Sha256, Spec, Url


def _server(url: str) -> str:
    parts = urlsplit(url)
    if parts.path or parts.query or parts.fragment:
        raise ValueError("an address without a path, because registries have none: http://HOST:PORT")
    return url


FileName = Annotated[str, AfterValidator(Matching(r"[A-Za-z0-9][A-Za-z0-9._+-]*", "the name of a file"))]
Package = Annotated[
    str, AfterValidator(Matching(r"[A-Za-z0-9][A-Za-z0-9.+*_-]*", "the name of a package, * for any part of it"))
]


class BundleFile(Spec):
    """One more file, such as an archive of Python; without *url* it is added by hand."""

    name: FileName
    url: Url | None = None
    sha256: Sha256
    size: Annotated[StrictInt, Field(ge=0, description="a number of bytes")] = 0


class Bundle(Spec):
    """*url* is the server of `provision bundle serve`, from which everything comes; the rest is for building."""

    url: Annotated[Url, AfterValidator(_server)] | None = None
    kernels: tuple[Label, ...] = ()
    packages: tuple[Package, ...] = ()
    releasever: Label | None = None
    files: tuple[BundleFile, ...] = ()
