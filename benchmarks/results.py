"""RESULTS.md: the last figures of each measurement; a section is replaced when it is measured again."""

from __future__ import annotations

import datetime
import re
from pathlib import Path

FILE = Path(__file__).with_name("RESULTS.md")
TITLE = (
    "# Results\n\nWritten by `python -m benchmarks NAME --write`; each section names its machine and versions.\n"
)


def store(name: str, text: str, file: Path = FILE) -> None:
    """Puts a section in the place of the one with the same name, or at the end."""
    before = file.read_text() if file.exists() else TITLE
    section = f"\n## {name}\n\nMeasured on {datetime.date.today():%d %B %Y}.\n\n{text}\n"
    kept = re.sub(rf"\n## {re.escape(name)}\n.*?(?=\n## |\Z)", lambda _: section, before, flags=re.DOTALL)
    file.write_text(kept if f"\n## {name}\n" in before else before.rstrip("\n") + "\n" + section)
