"""Which model it is that judged, answered or was trained: a name and a digest that are the same on every machine."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

LINEAGE = "lineage.json"


def model_version(folder: str) -> str:
    """`folder` of a model; a Hugging Face id is its own version.

    What was merged here is named by what it was made of: the sums' last bits differ from one kind of CPU to another.
    """
    path = Path(folder)
    if not path.is_dir():
        return folder
    if (path / LINEAGE).is_file():
        lineage = (path / LINEAGE).read_bytes()
        return f"{json.loads(lineage)['name']}@{hashlib.sha256(lineage).hexdigest()[:8]}"
    config = json.loads((path / "config.json").read_text())
    # Which library wrote the folder says nothing of the model.
    config.pop("transformers_version", None)
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
    for weights in sorted(path.glob("*.safetensors")):
        with weights.open("rb") as file:
            digest.update(weights.stat().st_size.to_bytes(8, "big") + file.read(1 << 20))
    return f"{path.name}@{digest.hexdigest()[:8]}"
