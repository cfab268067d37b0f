"""`python -m tests.lab.vendor OUT`: build every package into OUT and print what a release catalog needs as YAML."""

import argparse
import sys
from pathlib import Path

import yaml

from tests.lab.vendor.build import build, describe


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="folder for the .run files; made when absent")
    folder = parser.parse_args().out
    sys.stdout.write(yaml.safe_dump({"packages": describe(build(folder))}, sort_keys=False))


main()
