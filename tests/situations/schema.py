"""What a situation may say: strict models of the *.yml files beside this one, and the one reader of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

FOLDER = Path(__file__).resolve().parent
SENTENCES = "sentences.yml"
DEFAULT_LANE = "debian12"
DEFAULT_RUN = "up --yes"
STATES = ("installed", "served-not", "based", "bare")
"""In the order in which they are played: a host that is installed anyway is made bare once, not the other way round."""

State = Literal["bare", "based", "installed", "served-not"]


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"a regular expression; {error}") from error
    return text


Pattern = Annotated[str, AfterValidator(_pattern)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Step(_Strict):
    """One call of the product and what has to be true after it."""

    run: str = DEFAULT_RUN
    code: int = 0
    says: list[str] = []
    says_not: list[str] = []
    after: dict[str, Pattern] = {}
    untouched: bool = False
    before: list[str] = []
    timeout_seconds: float = 600.0

    @model_validator(mode="after")
    def _proves_something(self) -> Step:
        if not (self.says or self.says_not or self.after or self.untouched):
            raise ValueError("nothing is expected besides the code: give says, says_not, after or untouched")
        if self.code != 0 and not self.says:
            raise ValueError(f"code {self.code} without says: a refusal is tested by its message")
        return self


class Situation(Step):
    """A host in a state, what happened to it, what is run, and what the operator must see."""

    name: str = Field(min_length=10)
    sentence: str = Field(pattern=r"^[a-z]+\.[a-z0-9-]+$")
    lane: str = DEFAULT_LANE
    state: State = "installed"
    site: dict[str, Any] = {}
    env: dict[str, str] = {}
    files: dict[str, str] = {}
    prepare: list[str] = []
    then: list[Step] = []
    cleanup: list[str] = []
    fresh: bool = False
    area: str = ""

    @property
    def slug(self) -> str:
        """Return the name as the tests and the matrix spell it."""
        return f"{self.area}/{re.sub('[^a-z0-9]+', '-', self.name.lower()).strip('-')}"

    @property
    def steps(self) -> list[Step]:
        """Return the calls in their order."""
        return [self, *self.then]

    @property
    def spoils(self) -> bool:
        """Return whether the host has to be made anew: asked for, or it was bare and nobody says that it still is."""
        promised = self.cleanup or all(step.untouched for step in self.steps)
        return self.fresh or (self.state == "bare" and not promised)


def load(folder: Path = FOLDER) -> list[Situation]:
    """Return all situations below *folder*, area by area; raises ValueError with one line per fault."""
    found: list[Situation] = []
    faults: list[str] = []
    for file in sorted(folder.glob("*.yml")):
        if file.name == SENTENCES:
            continue
        for number, entry in enumerate(yaml.safe_load(file.read_text(encoding="utf-8")) or []):
            try:
                found.append(Situation.model_validate({**entry, "area": file.stem}))
            except ValidationError as error:
                name = entry.get("name", f"number {number + 1}") if isinstance(entry, dict) else f"number {number + 1}"
                faults += [
                    f"{file.name}: {name}: {'.'.join(map(str, fault['loc'])) or 'situation'}: {fault['msg']}"
                    for fault in error.errors()
                ]
    slugs = [situation.slug for situation in found]
    faults += [
        f"{slug}: this name is given twice" for slug in sorted({slug for slug in slugs if slugs.count(slug) > 1})
    ]
    if faults:
        raise ValueError("\n".join(faults))
    return found


def sentences(folder: Path = FOLDER) -> dict[str, str]:
    """Return the sentences of the issue by key."""
    text = (folder / SENTENCES).read_text(encoding="utf-8")
    return TypeAdapter(dict[str, str]).validate_python(yaml.safe_load(text))
