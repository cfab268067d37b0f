#!/usr/bin/python
"""Let the chips' ports take what /etc/hccn.conf says where they differ from it, and turn their TLS switch.

Arguments: install_path (of the driver), devices (device, address, netmask, gateway, netdetect; "" is left alone), tls
("" is left alone, off, on), recover (further device numbers to recover, whatever they show), wait_seconds (for links
to come up), needed (false: a host whose driver does not run is left alone), config_path and log_path (for messages).
Returns: changed, recovered and switched (device numbers), ill (ports that are not healthy in the end, with the reason).
"""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.converge.errors import RefusedError
from ansible.module_utils.converge.hccn_cards import Ports
from ansible.module_utils.state import hccn, npu


def converge(module: AnsibleModule) -> Dict[str, Any]:
    """Bring the cards to what is wanted; return the module's result. Raises RefusedError."""
    given = module.params
    tool = hccn.tool(given["install_path"])
    if not given["needed"] and (tool is None or not npu.card_nodes()):
        return {"changed": False, "recovered": [], "switched": [], "ill": []}
    ports = Ports(tool or "", given["devices"], given["tls"], given["config_path"], given["log_path"])
    try:
        recover, switched, cards = differences(ports, given["recover"], given["install_path"])
    except RefusedError:
        if module.check_mode:  # the driver that answers then has not been installed, only said to be
            return {"changed": True, "recovered": given["recover"], "switched": [], "ill": []}
        raise
    result = {"changed": bool(recover or switched), "recovered": recover, "switched": switched, "ill": []}
    if module.check_mode:
        return result
    if switched:
        ports.turn(switched, cards)
    if recover:
        ports.recover(recover)
    result["ill"] = ports.wait(given["wait_seconds"] if result["changed"] else 0)
    return result


def differences(ports: Ports, given: List[int], install_path: str) -> Tuple[List[int], List[int], Dict[str, Any]]:
    """Return the devices to recover, those *given* included, those to switch, and what the cards say of TLS."""
    if not ports.tool:
        raise RefusedError(
            "no hccn_tool below %s/driver/tools: no driver is installed. Expected one before the network of its cards: "
            "run up without --tags, or with npu_driver among them" % install_path
        )
    rest = [number for number in ports.numbers if number not in given]
    wrong = hccn.differing(ports.devices, ports.look(rest, *hccn.ADDRESSES))
    cards = ports.look(ports.numbers, "tls") if ports.tls else {}
    return sorted({*wrong, *given}), ports.switch(cards), cards


def main() -> None:
    """Translate arguments and errors."""
    module = AnsibleModule(
        argument_spec={
            "install_path": {"type": "path", "required": True},
            "devices": {"type": "list", "elements": "dict", "required": True},
            "tls": {"type": "str", "choices": ["", "off", "on"], "default": ""},
            "recover": {"type": "list", "elements": "int", "default": []},
            "wait_seconds": {"type": "int", "default": 30},
            "needed": {"type": "bool", "default": True},
            "config_path": {"type": "path", "default": hccn.CONFIG},
            "log_path": {"type": "path", "default": "/var/log/hccn_tool/hccn_config.log"},
        },
        supports_check_mode=True,
    )
    try:
        result = converge(module)
    except RefusedError as error:
        module.fail_json(msg=str(error))
    if result["ill"]:
        module.warn("the ports have their addresses and are not healthy: %s" % "; ".join(result["ill"]))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
