"""Entry points for `ray job submit -- python -m jobs.NAME`: parse arguments, call the library, print a table.

`RECIPES` holds the packaged settings and recipes; an option may name one without folder and suffix.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rayapp.extras import missing

if TYPE_CHECKING:
    from types import TracebackType

RECIPES = Path(__file__).parent / "configs"


def _end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    line = missing(error)
    if line is None:
        sys.__excepthook__(kind, error, trace)
    else:
        print(f"Error: {line}", file=sys.stderr)


# While `python -m jobs.NAME` looks for the module, argv[0] is "-m". A job imports its packages before its wrapper runs.
if sys.argv[:1] == ["-m"]:
    sys.excepthook = _end
