"""/etc/hccn.conf: our keys change, everything else stays byte for byte, and it all comes back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from plugins.module_utils.converge import hccn_file
from plugins.module_utils.state import hccn
from plugins.modules.hccn_conf import Conf, RefusedError

OPERATOR = (
    "# rack 7, do not touch\naddress_0=10.9.0.1\nnetmask_0=255.255.0.0\nbitmap_0=0 0 0 0 1 0 0 0\n"
    "gateway_0 = 10.9.0.254\ndscp_tc_0=33:1,\n\narp_0=-i eth0 -s 10.9.0.2 02:00:00:00:00:01\n"
)


def device(number: int, address: str, gateway: str = "10.20.0.254") -> dict[str, Any]:
    return {"device": number, "address": address, "netmask": "255.255.255.0", "gateway": gateway, "netdetect": gateway}


class Place:
    """A folder with the file and its record, and the module's logic on them."""

    def __init__(self, folder: Path) -> None:
        self.file, self.record = folder / "hccn.conf", folder / "lib" / "npu_network.json"

    def conf(self) -> Conf:
        return Conf(str(self.file), str(self.record))

    def present(self, *devices: dict[str, Any], dry: bool = False) -> dict[str, Any]:
        return self.conf().present(list(devices), dry)

    def absent(self, *, dry: bool = False) -> dict[str, Any]:
        return self.conf().absent(dry)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_only_our_keys_change_and_the_old_file_is_kept(place: Place) -> None:
    place.file.write_text(OPERATOR)
    result = place.present(device(0, "10.20.0.1"), device(1, "10.20.0.2"))
    text = place.file.read_text()
    assert text.splitlines()[:8] == [
        "# rack 7, do not touch",
        "address_0=10.20.0.1",
        "netmask_0=255.255.255.0",
        "bitmap_0=0 0 0 0 1 0 0 0",
        "gateway_0=10.20.0.254",
        "dscp_tc_0=33:1,",
        "",
        "arp_0=-i eth0 -s 10.9.0.2 02:00:00:00:00:01",
    ]
    added = [f"{key}={value}" for key, value in hccn.keys([device(1, "10.20.0.2")]).items()]
    assert text.splitlines()[8:] == ["netdetect_0=10.20.0.254", *added]
    assert result["devices"] == [0, 1]
    assert Path(result["backup"]).read_text() == OPERATOR
    assert Path(result["backup"]).parent == place.file.parent
    assert oct(place.file.stat().st_mode & 0o777) == "0o644"


def test_what_is_right_is_not_written(place: Place) -> None:
    place.present(device(0, "10.20.0.1"))
    before = place.file.stat()
    result = place.present(device(0, "10.20.0.1"))
    assert (result["changed"], result["backup"], result["devices"]) == (False, "", [])
    assert place.file.stat().st_mtime_ns == before.st_mtime_ns
    assert hccn_file.backups(str(place.file)) == []


def test_a_wrong_mode_is_mended_without_a_device_to_recover(place: Place) -> None:
    place.present(device(0, "10.20.0.1"))
    place.file.chmod(0o600)
    result = place.present(device(0, "10.20.0.1"))
    assert (result["changed"], result["devices"]) == (True, [])
    assert oct(place.file.stat().st_mode & 0o777) == "0o644"


def test_check_mode_writes_nothing_and_foresees_the_same(place: Place) -> None:
    place.file.write_text(OPERATOR)
    foreseen = place.present(device(0, "10.20.0.1"), dry=True)
    assert place.file.read_text() == OPERATOR
    assert not place.record.exists()
    done = place.present(device(0, "10.20.0.1"))
    assert {key: done[key] for key in ("changed", "devices", "diff")} == {
        key: foreseen[key] for key in ("changed", "devices", "diff")
    }


def test_the_operators_values_come_back_byte_for_byte(place: Place) -> None:
    place.file.write_text(OPERATOR.replace("gateway_0 = ", "gateway_0="))
    before = place.file.read_text()
    place.present(device(0, "10.20.0.1"), device(1, "10.20.0.2"))
    place.present(device(0, "10.20.0.3"))  # the site changed, and lost device 1
    assert "address_1" not in place.file.read_text()
    result = place.absent()
    assert place.file.read_text() == before
    assert result["former"] == [
        {"device": 0, "address": "10.9.0.1", "netmask": "255.255.0.0", "gateway": "10.9.0.254", "netdetect": ""}
    ]
    assert sorted(path.name for path in place.file.parent.rglob("*") if path.is_file()) == ["hccn.conf"]
    assert place.absent()["changed"] is False


def test_a_file_that_we_made_goes_away(place: Place) -> None:
    place.present(device(0, "10.20.0.1"))
    assert place.absent(dry=True)["changed"] is True
    assert place.file.exists()
    assert place.absent()["changed"] is True
    assert not place.file.exists()


def test_what_somebody_changed_after_us_is_his(place: Place) -> None:
    place.present(device(0, "10.20.0.1"))
    place.file.write_text(place.file.read_text().replace("address_0=10.20.0.1", "address_0=10.66.0.1"))
    place.absent()
    assert place.file.read_text() == "address_0=10.66.0.1\n"


def test_his_later_change_is_his_original_when_we_write_again(place: Place) -> None:
    place.present(device(0, "10.20.0.1"))
    place.file.write_text(place.file.read_text().replace("address_0=10.20.0.1", "address_0=10.66.0.1"))
    place.present(device(0, "10.20.0.1"))
    assert json.loads(place.record.read_text())["originals"]["address_0"] == "10.66.0.1"


def test_a_run_that_was_killed_before_the_file_was_written_forgets_nothing(place: Place) -> None:
    place.file.write_text(OPERATOR)
    place.present(device(0, "10.20.0.1"))
    place.file.write_text(OPERATOR)  # the record is there, the file is not
    place.present(device(0, "10.20.0.1"))
    place.absent()
    assert "address_0=10.9.0.1" in place.file.read_text()


def test_a_symbolic_link_is_refused(place: Place, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("x")
    place.file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RefusedError, match=r"hccn\.conf is a symbolic link to .*elsewhere, expected a plain file"):
        place.conf()
    assert (tmp_path / "elsewhere").read_text() == "x"


def test_a_draft_of_a_killed_run_is_not_written_through(place: Place, tmp_path: Path) -> None:
    (tmp_path / "target").write_text("x")
    (tmp_path / "hccn.conf.provision-new").symlink_to(tmp_path / "target")
    place.present(device(0, "10.20.0.1"))
    assert (tmp_path / "target").read_text() == "x"


@pytest.mark.parametrize(
    ("text", "keys", "after"),
    [
        ("a=1", {"address_0": "1.1.1.1"}, "a=1\naddress_0=1.1.1.1\n"),
        ("address_0=1.1.1.1\naddress_0=2.2.2.2\n", {"address_0": "2.2.2.2"}, "address_0=2.2.2.2\n"),
        ("address_0 = 1.1.1.1  \r\nb=2\r\n", {"address_0": "1.1.1.1"}, "address_0 = 1.1.1.1  \r\nb=2\r\n"),
        ("address_0=2.2.2.2\r\n", {"address_0": "1.1.1.1"}, "address_0=1.1.1.1\r\n"),
        ("#address_0=9.9.9.9\n", {"address_0": "1.1.1.1"}, "#address_0=9.9.9.9\naddress_0=1.1.1.1\n"),
        ("address_0=1.1.1.1\naddress_10=3.3.3.3\n", {"address_0": None}, "address_10=3.3.3.3\n"),
        ("", {"address_0": None}, ""),
    ],
)
def test_lines_are_changed_in_their_place(text: str, keys: dict[str, Any], after: str) -> None:
    assert hccn_file.changed(text, keys) == after
