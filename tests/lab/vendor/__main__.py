"""`python -m tests.lab.vendor OUT`: build every package into OUT and print what a release catalog needs as YAML.

With `--signing FOLDER` the signed archives are made, too, by the authority in FOLDER (made when absent).
"""

import argparse
import sys
from pathlib import Path

import yaml

from tests.lab.vendor import signing
from tests.lab.vendor.build import build, describe


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="folder for the packages; made when absent")
    parser.add_argument("--signing", type=Path, help="folder of the authority that signs the archives")
    given = parser.parse_args()
    built = build(given.out)
    if given.signing:
        signing.deliver(given.out, signing.ensure(given.signing.resolve()))
    sys.stdout.write(yaml.safe_dump({"packages": describe(built)}, sort_keys=False))


main()
