"""Sections of README.md that commands write, between <!-- begin NAME --> and <!-- end NAME -->."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def write_section(name: str, markdown: str) -> None:
    """Replace a section of README.md.

    Raises:
        ValueError: README.md has no such section.
    """
    readme = ROOT / "README.md"
    pattern = re.compile(rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
    text, count = pattern.subn(lambda match: match[1] + markdown.strip() + "\n" + match[2], readme.read_text())
    if count != 1:
        raise ValueError(f"README.md should have one section {name}, but has {count}.")
    readme.write_text(text)
