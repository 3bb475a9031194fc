"""The documents: every relative link and anchor resolves, lines are readable, and the README is short."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FENCE = re.compile(r"^\s*(```|~~~)")
LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^()\s]+(?:\([^()]*\)[^()\s]*)?)(?:\s+\"[^\"]*\")?\)")
HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*#*$")


def documents() -> list[Path]:
    """Every Markdown file of the project."""
    below = ("docs", "examples", "rayapp", "streaming", "jobs", "deploy", "serve_configs", "tests")
    return sorted([*ROOT.glob("*.md"), *(file for folder in below for file in (ROOT / folder).rglob("*.md"))])


def prose(text: str) -> list[str]:
    """The lines outside fenced code."""
    lines, fenced = [], False
    for line in text.splitlines():
        if FENCE.match(line):
            fenced = not fenced
        elif not fenced:
            lines.append(line)
    return lines


def links(text: str) -> list[str]:
    """Targets of links and pictures; code spans hold none, and a link may be broken over two lines."""
    return LINK.findall(re.sub(r"`[^`]*`", "``", "\n".join(prose(text))).replace("\n", " "))


def slug(heading: str) -> str:
    """As GitHub and mkdocs both make it, for headings without two separators in a row."""
    words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
    return re.sub(r"[\s]+", "-", re.sub(r"[^\w\s-]", "", words).strip().lower())


def anchors(text: str) -> set[str]:
    return {slug(match[2]) for line in prose(text) if (match := HEADING.match(line))}


def broken(file: Path) -> list[str]:
    """Links of a file that lead nowhere."""
    found = []
    for target in links(file.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (file.parent / path).resolve() if path else file
        if not there.exists():
            found.append(f"{target}: no such file")
        elif anchor and there.suffix == ".md" and anchor not in anchors(there.read_text(encoding="utf-8")):
            found.append(f"{target}: no such heading")
    return found


@pytest.mark.parametrize("file", documents(), ids=lambda file: str(file.relative_to(ROOT)))
def test_every_link_resolves(file: Path) -> None:
    assert broken(file) == []


@pytest.mark.parametrize("file", documents(), ids=lambda file: str(file.relative_to(ROOT)))
def test_no_line_is_longer_than_120_columns(file: Path) -> None:
    lines = file.read_text(encoding="utf-8").splitlines()
    # Rows of tables cannot be wrapped.
    long = [n for n, line in enumerate(lines, 1) if len(line) > 120 and not line.lstrip().startswith("|")]
    assert long == []


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 190


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# A heading, `code` and more\n\n```\n[no](link.md)\n# no heading\n```\n")
    page = tmp_path / "page.md"
    page.write_text(
        "[fine](there.md#a-heading-code-and-more) [web](https://example.org/x) `[code](gone.md)`\n"
        "[gone](gone.md) [no\nheading](there.md#no-heading) ![picture](gone.png)\n"
    )
    assert broken(page) == [
        "gone.md: no such file",
        "there.md#no-heading: no such heading",
        "gone.png: no such file",
    ]


def test_pages_name_no_machine_and_no_way_of_working() -> None:
    """Documents speak to readers everywhere: no paths of a machine, nothing about how the work was organised."""
    words = re.compile(r"(?<![\w.])/(?:home|mnt|opt|root|srv|tmp|work)/|\bthis session\b")
    found = {str(f.relative_to(ROOT)): m[0] for f in documents() if (m := words.search(f.read_text(encoding="utf-8")))}
    assert found == {}
