"""obsutil config|ls|cp|stat|version|help: Huawei's client for object storage, as far as the lab needs it."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import transfer
from options import (
    BAD_PARAMETER,
    BAD_START,
    INTERRUPTED,
    ObsutilError,
    access,
    cloud,
    config_path,
    hidden,
    parse,
    read_config,
    write_config,
)
from protocol import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

VERSION, ARCH = "@VERSION@", "@ARCH@"
MACHINE = {"amd64": "x86_64", "arm64": "aarch64"}
USAGE = """Usage of obsutil:
  obsutil config [-i=ak] [-k=sk] [-e=endpoint] [-t=token] [-config=file]
  obsutil ls [obs://bucket[/prefix]] [-s] [-d] [-limit=1000] [-config=file] [-e=xxx] [-i=xxx] [-k=xxx]
  obsutil cp source target [-r] [-f] [-flat] [-u] [-vlength] [-vmd5] [-dryRun] [-cpd=folder] [-config=file]
  obsutil stat obs://bucket[/key] [-config=file]
  obsutil version
  obsutil help"""
FIELDS = {"LastModified": "Last-Modified", "Size": "Content-Length", "ETag": "ETag"}
say = transfer.say


def start() -> None:
    say("Start at {} UTC\n".format(time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())))


def config(_plain: list[str], options: dict[str, Any]) -> int:
    path = config_path(options)
    names = {"e": "endpoint", "i": "ak", "k": "sk", "t": "token"}
    read_config(path)
    changes = {key: options[word] for word, key in names.items() if word in options}
    if options.get("interactive"):
        for key in ("ak", "sk", "endpoint", "token"):
            say(f"Please input your {key}:")
            changes[key] = sys.stdin.readline().strip()
    say(f"Config file url:\n  {path}\n")
    if changes:
        write_config(path, {key: hidden(value) if key in ("ak", "sk") else value for key, value in changes.items()})
        say("Update config file successfully!")
    return 0


def ls(plain: list[str], options: dict[str, Any]) -> int:
    store = Store(*access(options))
    limit = int(options.get("limit", "1000"))
    start()
    if not plain:
        buckets = store.buckets()[: limit if limit >= 0 else None]
        if not options.get("s"):
            say(f"{'Bucket':<30}{'CreationDate':<30}{'Location':<17}BucketType")
        for bucket in buckets:
            row = "{:<30}{:<30}{:<17}OBJECT".format("obs://" + bucket["Name"], bucket.get("CreationDate", ""), "lab")
            say("obs://" + bucket["Name"] if options.get("s") else row)
        say(f"\nBucket number is: {len(buckets)}")
        return 0
    bucket, prefix = cloud(plain[0])
    objects, folders = store.objects(bucket, prefix, folders=bool(options.get("d")))
    objects = objects[: limit if limit >= 0 else None]
    for folder in folders:
        say(f"obs://{bucket}/{folder}")
    if not options.get("s"):
        say(f"Object list:\n{'key':<50}{'LastModified':<30}{'Size':<10}{'StorageClass':<20}ETag")
    for entry in objects:
        url = "obs://{}/{}".format(bucket, entry["Key"])
        say(
            url
            if options.get("s")
            else f"{url:<50}{entry['LastModified']:<30}{entry['Size']:<10}{'standard':<20}{entry['ETag']}"
        )
    total = sum(int(entry["Size"]) for entry in objects)
    say(f"\nTotal size of bucket is: {total}B\nFolder number is: {len(folders)}\nObject number is: {len(objects)}")
    return 0


def cp(plain: list[str], options: dict[str, Any]) -> int:
    if len(plain) != 2:
        raise ObsutilError(BAD_PARAMETER, "Error: Invalid args, please refer to help doc")
    store = Store(*access(options))
    start()
    return transfer.copy(store, plain[0], plain[1], options)


def stat(plain: list[str], options: dict[str, Any]) -> int:
    if len(plain) != 1:
        raise ObsutilError(BAD_PARAMETER, "Error: Invalid args, please refer to help doc")
    bucket, key = cloud(plain[0])
    head = Store(*access(options)).ask(f"Stat [{plain[0]}]", "HEAD", bucket, key).headers
    say(f"Bucket:\n  {bucket}")
    if key:
        shown = {"Key": key, **{name: head[field] for name, field in FIELDS.items()}}
        say("\n".join(f"{name}:\n  {value}" for name, value in shown.items()))
    return 0


def version(_plain: list[str], _options: dict[str, Any]) -> int:
    say(f"obsutil version:{VERSION}, obssdkVersion:3.24.3\noperating system:linux, arch:{ARCH}")
    return 0


def usage(_plain: list[str], _options: dict[str, Any]) -> int:
    say(USAGE)
    return 0


COMMANDS = {"config": config, "ls": ls, "cp": cp, "stat": stat, "version": version, "help": usage}


def log(words: list[str], code: int) -> None:
    """Note the command in the vendor's log in the caller's home."""
    try:
        folder = Path(os.path.expanduser("~/.obsutil_log"))  # noqa: PTH111
        folder.mkdir(exist_ok=True)
        with (folder / "obsutil.log").open("a", encoding="utf-8") as file:
            file.write("{} [INFO] {} -> {}\n".format(time.strftime("%Y/%m/%d %H:%M:%S"), words[0], code))
    except OSError:
        return  # nothing to write to, nothing to say


def main(words: list[str]) -> int:
    if os.uname().machine != MACHINE[ARCH]:
        # What a kernel says to a program of another machine.
        sys.stderr.write(f"{sys.argv[0]}: cannot execute binary file: Exec format error\n")
        return 126
    if not words:
        return usage([], {})
    command = COMMANDS.get(words[0])
    try:
        if command is None:
            raise ObsutilError(
                BAD_PARAMETER, f'Error: No such command: "{words[0]}", please try "help" for more information!'
            )
        code = command(*parse(words[1:]))
    except ObsutilError as error:
        say(str(error))
        code = error.code
    except KeyboardInterrupt:
        code = INTERRUPTED
    except OSError as error:
        say(f"Error: {error}")
        code = BAD_START
    log(words, code)
    return code


raise SystemExit(main(sys.argv[1:]))
