"""What Docker leaves in the packet filter goes away; what others put there stays."""

from __future__ import annotations

from tests.lab.site.firewall import removal

FILTER = """\
-P INPUT ACCEPT
-P FORWARD DROP
-N DOCKER
-N DOCKER-ISOLATION-STAGE-1
-N DOCKER-USER
-N ours
-A FORWARD -j DOCKER-USER
-A FORWARD -j ours
-A FORWARD -o plab-default -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -i eth0 -o eth1 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 ! -s 10.77.0.0/24 -o plab0 -j DROP
-A DOCKER-USER -j RETURN
"""
NAT = """\
-P POSTROUTING ACCEPT
-N DOCKER
-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 10.77.255.0/24 ! -o plab-default -j MASQUERADE
-A POSTROUTING -s 10.1.0.0/16 -o eth0 -j MASQUERADE
"""


def test_rules_that_lead_to_the_engine_go_before_its_chains() -> None:
    assert removal(FILTER) == [
        ["-D", "FORWARD", "-j", "DOCKER-USER"],
        ["-D", "FORWARD", "-o", "plab-default", "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED", "-j", "ACCEPT"],
        ["-F", "DOCKER"],
        ["-F", "DOCKER-ISOLATION-STAGE-1"],
        ["-F", "DOCKER-USER"],
        ["-X", "DOCKER"],
        ["-X", "DOCKER-ISOLATION-STAGE-1"],
        ["-X", "DOCKER-USER"],
    ]


def test_address_translation_of_others_stays() -> None:
    assert removal(NAT) == [
        ["-D", "OUTPUT", "!", "-d", "127.0.0.0/8", "-m", "addrtype", "--dst-type", "LOCAL", "-j", "DOCKER"],
        ["-D", "POSTROUTING", "-s", "10.77.255.0/24", "!", "-o", "plab-default", "-j", "MASQUERADE"],
        ["-F", "DOCKER"],
        ["-X", "DOCKER"],
    ]


def test_a_machine_without_docker_rules_is_left_alone() -> None:
    assert removal("-P FORWARD ACCEPT\n-N ours\n-A FORWARD -j ours\n") == []
