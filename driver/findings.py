"""What a check has found so far: faults that refuse the site, and warnings that do not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from driver.faults import Fault, Location, listed, suggestion


@dataclass(slots=True)
class Findings:
    """Faults and warnings about one *file*, in the order in which they were found, each once."""

    file: str
    faults: list[Fault] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def refuse(self, where: Location, found: str, expected: str, advice: str) -> None:
        """Note a fault."""
        fault = Fault(self.file, where, found, expected, advice)
        if fault not in self.faults:
            self.faults.append(fault)

    def warn(self, where: Location, text: str) -> None:
        """Note a warning."""
        line = f"{self.file}: {'.'.join(map(str, where))}: {text}"
        if line not in self.warnings:
            self.warnings.append(line)

    def known(self, where: Location, value: str, known: Iterable[str], what: str) -> bool:
        """Return whether *value* is one of *known*; note a fault that lists *what* there is when not."""
        names = sorted(known)
        if value not in names:
            expected = f"{what}: {listed(names)}"
            self.refuse(where, f"'{value}', which is not in the catalog", expected, suggestion(value, names))
        return value in names

    def unique(self, part: str, key: str, values: Iterable[str]) -> None:
        """Note a fault for every value of *key* in the list *part* that an earlier entry has already."""
        first: dict[str, int] = {}
        for index, value in enumerate(values):
            if first.setdefault(value, index) != index:
                found = f"{value}, which {part}.{first[value]} has already"
                self.refuse((part, index, key), found, f"its own {key}", "correct one of them")
