#!/usr/bin/python
"""Change our keys in /etc/hccn.conf, or give them back; every other line stays as it is.

Arguments: path (/etc/hccn.conf), record_path (where the keys' former values are kept), devices (device, address,
netmask, gateway, netdetect; "" is no line), state (present, or absent: the former values come back). The file is
replaced in one go with mode 0644, never through a link; the old one is kept beside it, with the time in its name.
Returns: changed, backup, devices (the numbers whose lines changed), former (with absent: these devices with the
addresses that they get back, those that get none left out); diff has the file before and after.
"""

from __future__ import annotations

import os
from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.converge import hccn_file
from ansible.module_utils.converge.errors import RefusedError
from ansible.module_utils.state import hccn


class Conf:
    """The file, and the record of what our keys in it were before us."""

    def __init__(self, path: str, record_path: str) -> None:
        """Read both. Raises RefusedError."""
        self.path, self.record_path = path, record_path
        self.before: str = hccn_file.read(path)
        self.known: Dict[str, Any] = hccn.record(record_path)

    def permissions_differ(self) -> bool:
        """Return whether the file is there with another mode or owner than it needs."""
        found = hccn.config(self.path)
        return found["kind"] == "file" and (found["mode"], found["owner"]) != ("%04o" % hccn_file.MODE, "root")

    def result(self, after: str, changed: bool) -> Dict[str, Any]:
        """Return what the module answers for a file that becomes *after*."""
        old, new = hccn.values(self.before), hccn.values(after)
        numbers = {int(key.rpartition("_")[2]) for key in set(old) | set(new) if old.get(key) != new.get(key)}
        diff = {"before": self.before, "after": after, "before_header": self.path, "after_header": self.path}
        former = [
            {"device": number, **{kind: new.get("%s_%d" % (kind, number), "") for kind in hccn.KINDS}}
            for number in sorted(numbers)
            if "address_%d" % number in new
        ]
        return {"changed": changed, "backup": "", "devices": sorted(numbers), "former": former, "diff": diff}

    def present(self, devices: List[Dict[str, Any]], dry: bool) -> Dict[str, Any]:
        """Write our keys; the record first, so that a run that is killed in between does not forget the originals."""
        keys, record = hccn_file.plan(self.before, devices, self.known)
        after = hccn_file.changed(self.before, keys)
        result = self.result(after, after != self.before or self.permissions_differ())
        if result["changed"] and not dry:
            record["created"] = self.known["created"] or not os.path.exists(self.path)
            hccn_file.remember(self.record_path, record)
            result["backup"] = hccn_file.write(self.path, after)
        return result

    def absent(self, dry: bool) -> Dict[str, Any]:
        """Give the file back: without our keys, away where we made it, without our copies beside it."""
        after = hccn_file.changed(self.before, hccn_file.undone(self.before, self.known))
        away = [self.path] if self.known["created"] and not after.strip() else []
        away = [name for name in [*away, *hccn_file.backups(self.path), self.record_path] if os.path.exists(name)]
        result = self.result(after, bool(away) or after != self.before)
        if dry:
            return result
        if after != self.before and self.path not in away:
            hccn_file.write(self.path, after)
            away += hccn_file.backups(self.path)
        for name in sorted(set(away)):
            os.unlink(name)
        return result


def main() -> None:
    """Translate arguments and errors."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "default": hccn.CONFIG},
            "record_path": {"type": "path", "default": hccn.RECORD},
            "devices": {"type": "list", "elements": "dict", "default": []},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    given = module.params
    try:
        conf = Conf(given["path"], given["record_path"])
        present = given["state"] == "present"
        result = conf.present(given["devices"], module.check_mode) if present else conf.absent(module.check_mode)
    except RefusedError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
