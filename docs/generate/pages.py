"""Which pages there are, and writing or checking them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from docs.generate import texts
from docs.generate.http import http_page

REFERENCE = Path(__file__).resolve().parents[1] / "reference"
PAGES: dict[str, Callable[[], str]] = {
    "configuration.md": texts.configuration_page,
    "cli.md": texts.cli_page,
    "jobs.md": texts.jobs_page,
    "http.md": http_page,
    "events.md": texts.events_page,
    "items.md": texts.items_page,
    "verdicts.md": texts.verdicts_page,
    "topics.md": texts.topics_page,
    "metrics.md": texts.metrics_page,
    "experiment-yaml.md": texts.experiment_page,
    "policy-yaml.md": texts.policy_page,
    "training-yaml.md": texts.training_page,
    "recipe-yaml.md": texts.recipe_page,
}


def write(check: bool = False, folder: Path = REFERENCE) -> list[str]:
    """Names of the pages that differ from the code; without `check` they are written."""
    changed = []
    for name, make in PAGES.items():
        file = folder / name
        text = make()
        if file.is_file() and file.read_text(encoding="utf-8") == text:
            continue
        changed.append(name)
        if not check:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    return changed
