"""Entry points for `ray job submit -- python -m jobs.NAME`: parse arguments, call the library, print a table.

`RECIPES` holds the packaged settings and recipes; an option may name one without folder and suffix.
"""

from pathlib import Path

RECIPES = Path(__file__).parent / "configs"
