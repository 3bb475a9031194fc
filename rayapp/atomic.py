"""Atomic, once-only creation of a directory across processes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock


def whole_folder(target: Path, write: Callable[[Path], None]) -> str:
    """The resolved path of `target`, which `write` fills (as an empty folder) if it does not exist yet.

    Of processes that start together one writes and the others wait. A folder left incomplete by a kill is rewritten.
    """
    if not target.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_name(f".{target.name}.lock")):
            if not target.is_dir():
                partial = target.with_name(f".{target.name}.part")
                shutil.rmtree(partial, ignore_errors=True)
                partial.mkdir()
                write(partial)
                partial.rename(target)
    return str(target.resolve())
