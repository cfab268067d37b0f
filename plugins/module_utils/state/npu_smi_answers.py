"""Recognise what is printed instead of the table: error texts, and the answers of other subcommands."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .npu_smi_lines import Line

_CODE = re.compile(
    r"(?:\bret(?:urn(?:ed)?)?(?: ?(?:code|value))?|\berr(?:or)?(?:[ _]?(?:code|no))?)"
    r"\s*(?:is|=|:)?\s*(-[0-9]{1,6})(?![0-9])",
    re.IGNORECASE,
)
_WHOLE_CODE = re.compile(r"-8[0-9]{3}")  # the codes of the vendor's DCMI, -8001 to -8255
_ERROR = re.compile(
    r"not found|no such (?:file|device)|permission denied|is a directory|cannot|can't|could not"
    r"|failed|failure|\berror\b|invalid|unsupported|not supported?|segmentation|killed|aborted|timed? ?out|unable to"
    r"|no (?:npu|device)",
    re.IGNORECASE,
)
# (command, something that only its answer has)
_OTHERS = (
    ("npu-smi info -m", r"NPU ID\s+Chip ID\s+.*(?:Logic|Phy|Chip Name)"),
    ("npu-smi info -l", r"(?:Card|Total) Count\s*:"),
    ("npu-smi info -t health", r"Health(?: Status)?\s*:"),
    ("npu-smi info -t board", r"(?:Software Version|Board ID|PCB ID|PCIe Bus Info)\s*:"),
    ("npu-smi info -t memory or usages", r"(?:HBM|DDR|Memory) (?:Capacity|Usage).*:"),
    ("npu-smi info watch", r"Npu ?ID\(Idx\)"),
    ("npu-smi -v", r"npu-smi version\s*:"),
    ("npu-smi -h", r"Usage:?\s*npu-smi"),
    ("npu-smi info -t …", r"(?:NPU|Chip) ID\s*:"),
)


def find_code(lines: list[Line], ended: bool) -> tuple[int | None, str | None]:
    """Return the first code of the driver that *lines* name and the line; *ended* says that the last line is whole."""
    for place, line in enumerate(lines):
        match = _CODE.search(line.text)
        if match and (ended or place < len(lines) - 1 or _WHOLE_CODE.fullmatch(match.group(1))):
            return int(match.group(1)), line.text
    return None, None


def find_error(lines: list[Line]) -> str | None:
    """Return the line that says why there is no table; for an empty text, that it is empty."""
    spoken = [line.text for line in lines if line.text]
    if not spoken:
        return "npu-smi printed nothing"
    return next((text for text in reversed(spoken) if _ERROR.search(text)), None)


def other_answer(lines: list[Line]) -> tuple[str | None, str]:
    """Return the command that prints such a text, if we know it, and a note that it is not the table."""
    for command, pattern in _OTHERS:
        for line in lines:
            if re.search(pattern, line.text, re.IGNORECASE):
                return command, line.quoted(
                    "this is the answer of `%s`, expected the table of `npu-smi info`" % command
                )
    first = next((line for line in lines if line.text), None)
    what = "no table of `npu-smi info` in the text"
    return None, first.quoted(what) if first else what + ", it is empty"
