#!/usr/bin/env python3
"""upgrade-tool --device_index N|-1 --boot_status | --system_version | --hw_base_version | --component C --version."""

from __future__ import annotations

import sys

sys.dont_write_bytecode = True
sys.path.insert(0, "/usr/local/Ascend/driver/lib64/driver")
import davinci_state as state  # noqa: E402  # only the folder above has it

COMPONENTS = ("nve", "xloader", "m3fw", "uefi", "tee")


def say(text: str) -> None:
    sys.stdout.write(text + "\n")


def boot_status(index: int) -> None:
    say(f'\t{{"device_id":{index}, boot status:{state.card_fact(index, "boot_status", "16")}}}')


def system_version(index: int, version: str) -> None:
    say(f"Get system version({version}) succeed, deviceId({index})")
    say(f'\t{{"device_id":{index}, "version":{version}}}')


def base_version(index: int) -> None:
    say(f'\t{{"device_id":{index}, "hw_base_version":{state.fact("flash_version", "23000")}}}')


def component_version(index: int, wanted: int, version: str) -> None:
    for number, name in enumerate(COMPONENTS):
        if wanted in (-1, number):
            say(f"Get component version({version}) succeed for deviceId({index}), componentType({number}).")
            say(f'\t{{"device_id":{index}, "component":{name}, "version":{version}}}')


def report(index: int, arguments: list[str], record: dict[str, str]) -> bool:
    """Print what is asked about one device; False when the question is not understood."""
    if "--boot_status" in arguments:
        boot_status(index)
    elif "--system_version" in arguments:
        system_version(index, record["driver"])
    elif "--hw_base_version" in arguments:
        base_version(index)
    elif "--component" in arguments and "--version" in arguments:
        component_version(index, int(arguments[arguments.index("--component") + 1]), record["firmware"])
    else:
        return False
    return True


def main(arguments: list[str]) -> int:
    if arguments[:1] != ["--device_index"] or len(arguments) < 3:
        say(__doc__ or "")
        return 1
    try:
        record = state.loaded()
    except state.DcmiError as error:
        say(f"Get device info failed, ret is {error.code}")
        return 1
    wanted = int(arguments[1])
    known = [chip["index"] for chip in state.chips(record)]
    if wanted != -1 and wanted not in known:
        say(f"device_index {wanted} is invalid")
        return 1
    say("{")
    understood = [report(index, arguments[2:], record) for index in known if wanted in (-1, index)]
    say("}")
    return 0 if all(understood) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
