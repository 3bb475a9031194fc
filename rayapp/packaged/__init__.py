"""Files that the installed package needs: links to the top-level folders, which a wheel holds as copies."""

from __future__ import annotations

import importlib.resources
from pathlib import Path

SERVE_CONFIGS = Path(str(importlib.resources.files(__name__))) / "serve_configs"
DEPLOY = Path(str(importlib.resources.files(__name__))) / "deploy"
