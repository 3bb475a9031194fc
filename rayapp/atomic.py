"""A folder that is there whole or not at all, made once by whichever process comes first."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock


def whole_folder(target: Path, write: Callable[[Path], None]) -> str:
    """`target`, resolved; where it is not there yet, what `write` put into an empty folder.

    Replicas and jobs start together: one writes, the others wait for it. What a kill left half-written is written anew.
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
