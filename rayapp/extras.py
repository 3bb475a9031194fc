"""Packages that only an extra installs; without one, a job ends with a line that says how to get it."""

from __future__ import annotations

EXTRAS = {
    "matplotlib": "evaluate",
    "rapidfuzz": "evaluate",
    "sacrebleu": "evaluate",
    "torchmetrics": "evaluate",
    "datasketch": "train",
    "lightgbm": "train",
    "trl": "train",
}


def missing(error: BaseException) -> str | None:
    """One line about a package that an extra installs; None for any other error."""
    package = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if package not in EXTRAS:
        return None
    install = f"pip install -c constraints.txt -e '.[cpu,{EXTRAS[package]}]'"
    return f"the package {package} is not installed; it comes with the extra {EXTRAS[package]}: {install}"
