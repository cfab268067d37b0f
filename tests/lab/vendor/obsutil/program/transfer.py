"""cp: one object or all below a prefix, in either direction."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

from options import BAD_PARAMETER, FAILED, NO_FILE, PARTLY, UNSUPPORTED, ObsutilError, cloud

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from protocol import Store

CHUNK = 1 << 20
MD5_KEY = "x-obs-meta-md5chksum"


def say(text: str) -> None:
    sys.stdout.write(text + "\n")


def md5_of(path: Path) -> str:
    digest = hashlib.md5()  # noqa: S324  # the store's own sum
    with path.open("rb") as file:
        for block in iter(lambda: file.read(CHUNK), b""):
            digest.update(block)
    return digest.hexdigest()


def checkpoint(options: dict[str, Any], target: Path) -> Path:
    """Return the file that remembers how far the download to *target* is."""
    home = options.get("cpd") or options.get("checkpointDir") or os.path.expanduser("~/.obsutil_checkpoint")  # noqa: PTH111
    name = hashlib.sha256(str(target.resolve()).encode()).hexdigest()[:32]
    return Path(home) / "down" / f"{name}.json"


def fetch(store: Store, bucket: str, key: str, target: Path, options: dict[str, Any]) -> None:
    """Download one object; what an interrupted download left is taken up again when the object is the same."""
    head = store.ask(f"Get object [{key}]", "HEAD", bucket, key).headers
    size, etag = int(head["Content-Length"]), head["ETag"]
    if options.get("u") and target.is_file() and target.stat().st_size == size:
        say(f"Download successfully, {size}B, skip, obs://{bucket}/{key} --> {target}")
        return
    if options.get("dryRun"):
        say(f"Download object [obs://{bucket}/{key}] as [{target}] in dry run")
        return
    draft = target.with_name(target.name + ".obsutil.tmp")
    record = checkpoint(options, target)
    draft.parent.mkdir(parents=True, exist_ok=True)
    record.parent.mkdir(parents=True, exist_ok=True)
    known = record.is_file() and json.loads(record.read_text(encoding="utf-8")).get("etag") == etag
    done = draft.stat().st_size if known and draft.is_file() else 0
    record.write_text(json.dumps({"etag": etag, "key": key, "target": str(target)}), encoding="utf-8")
    if done < size or not draft.is_file():
        headers = {"range": f"bytes={done}-"} if done else {}
        answer = store.ask(f"Get object [{key}]", "GET", bucket, key, headers=headers)
        with draft.open("ab" if done else "wb") as out:
            for block in iter(lambda: answer.read(CHUNK), b""):
                out.write(block)
    if draft.stat().st_size < size:
        raise ObsutilError(FAILED, f"Download [obs://{bucket}/{key}] failed, error [unexpected EOF]")
    verify(draft, head, options)
    draft.replace(target)
    record.unlink()
    say(f"Download successfully, {size}B, obs://{bucket}/{key} --> {target}, status [200]")


def verify(path: Path, head: Any, options: dict[str, Any]) -> None:
    size = path.stat().st_size
    if size != int(head["Content-Length"]):
        path.unlink()
        raise ObsutilError(
            FAILED, f"Error: Download failed, length of [{path}] is {size}, expected {head['Content-Length']}"
        )
    if options.get("vmd5") and head.get(MD5_KEY) and md5_of(path) != head[MD5_KEY]:
        path.unlink()
        raise ObsutilError(FAILED, f"Error: Download failed, md5 of [{path}] does not match {head[MD5_KEY]}")


def send(store: Store, source: Path, bucket: str, key: str, options: dict[str, Any]) -> None:
    """Upload one file; with -vmd5 its sum goes along for those who download it with -vmd5."""
    headers = {"content-length": str(source.stat().st_size)}
    if options.get("vmd5"):
        headers[MD5_KEY] = md5_of(source)
    with source.open("rb") as body:
        store.ask(f"Put object [{key}]", "PUT", bucket, key, headers=headers, body=body).read()
    say(f"Upload successfully, {source.stat().st_size}B, {source} --> obs://{bucket}/{key}, status [200]")


def confirmed(options: dict[str, Any], text: str) -> bool:
    """Ask for each one of many, unless -f says not to; an empty line is a yes, a closed input a no."""
    if options.get("f"):
        return True
    say(f"Do you want {text} ? Please input (y/n) to confirm:")
    answer = sys.stdin.readline()
    return bool(answer) and answer.strip().lower() in ("", "y")


def download(store: Store, source: str, target: str, options: dict[str, Any]) -> int:
    bucket, key = cloud(source)
    if not options.get("r"):
        if not key:
            raise ObsutilError(BAD_PARAMETER, f"Error: Invalid cloud url [{source}], a key or -r is missing")
        place = Path(target)
        fetch(
            store,
            bucket,
            key,
            place / key.rpartition("/")[2] if place.is_dir() or target.endswith("/") else place,
            options,
        )
        return 0
    found, _ = store.objects(bucket, key)
    names = [entry["Key"] for entry in found if not entry["Key"].endswith("/")]
    names = [name for name in names if confirmed(options, f"download object [{name}]")]
    # Without -flat the last folder of the prefix is made again below the target.
    whole = key if key.endswith("/") or not key else key + "/"
    cut = len(whole) if options.get("flat") else len(key.rstrip("/").rpartition("/")[0]) + ("/" in key.rstrip("/"))
    return each(
        names,
        lambda name: fetch(store, bucket, name, Path(target) / name[cut if name.startswith(whole) else 0 :], options),
    )


def upload(store: Store, source: str, target: str, options: dict[str, Any]) -> int:
    bucket, key = cloud(target)
    path = Path(source)
    if not path.exists():
        raise ObsutilError(NO_FILE, f"Error: File [{source}] does not exist")
    if not options.get("r"):
        send(store, path, bucket, key + path.name if not key or key.endswith("/") else key, options)
        return 0
    files = sorted(file for file in path.rglob("*") if file.is_file())
    files = [file for file in files if confirmed(options, f"upload file [{file}]")]
    base = path if options.get("flat") else path.parent
    prefix = key + "/" if key and not key.endswith("/") else key
    return each(files, lambda file: send(store, file, bucket, prefix + file.relative_to(base).as_posix(), options))


def each(items: list[Any], act: Any) -> int:
    """Do all of it, whatever fails; return the code for that."""
    failed = 0
    for item in items:
        try:
            act(item)
        except ObsutilError as error:
            say(str(error))
            failed += 1
    say(f"Succeed count is: {len(items) - failed}     Failed count is: {failed}" if items else "Warn: No task to run")
    return PARTLY if failed else 0


def copy(store: Store, source: str, target: str, options: dict[str, Any]) -> int:
    sides = (source.startswith("obs://"), target.startswith("obs://"))
    if sides == (True, False):
        return download(store, source, target, options)
    if sides == (False, True):
        return upload(store, source, target, options)
    code = UNSUPPORTED if all(sides) else BAD_PARAMETER
    raise ObsutilError(code, f"Error: cp from [{source}] to [{target}] is not supported")
