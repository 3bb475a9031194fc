"""Pictures beside text, on a generated catalogue whose taste signal is in the pictures alone.

    python -m tests.benchmarks.picture_catalogue --folder pictures --minutes 2

Every item has a style (a colour and a pattern, drawn with noise) and a title that says nothing of it; every user likes
two styles. Text and text with pictures are trained alike, without id embeddings and with them.
"""

from __future__ import annotations

import colorsys
from pathlib import Path
from typing import Any

import click
import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageDraw

from rayapp.content.text_encoder import DEFAULT_ENCODER
from rayapp.terminal import print_table
from tests.benchmarks._jobs import run_job, trained

COLOURS, PATTERNS = 8, ("plain", "stripes", "dots")
STYLES = COLOURS * len(PATTERNS)
SIDE = 128
THINGS = ("scarf", "cup", "lamp", "bag", "chair", "dress", "phone case", "notebook", "pillow", "shirt")
WORDS = ("new", "handmade", "small", "large", "light", "soft", "simple", "summer", "winter", "gift", "daily", "travel")


def drawn(style: int, rng: np.random.Generator) -> Image.Image:
    """A picture of this style: hue, brightness, places and widths vary, and all of it is noisy."""
    hue = (style % COLOURS + rng.uniform(-0.2, 0.2)) / COLOURS
    colour = tuple(int(255 * c) for c in colorsys.hsv_to_rgb(hue % 1, rng.uniform(0.6, 0.9), rng.uniform(0.6, 0.9)))
    image = Image.new("RGB", (SIDE, SIDE), colour)
    pen = ImageDraw.Draw(image)
    pattern = PATTERNS[style // COLOURS]
    if pattern == "stripes":
        wide = int(rng.integers(6, 14))
        for x in range(int(rng.integers(0, wide)), SIDE, 2 * wide):
            pen.rectangle((x, 0, x + wide, SIDE), fill=(245, 245, 245))
    elif pattern == "dots":
        for _ in range(30):
            x, y, r = (int(rng.integers(0, SIDE)), int(rng.integers(0, SIDE)), int(rng.integers(4, 9)))
            pen.ellipse((x - r, y - r, x + r, y + r), fill=(245, 245, 245))
    noisy = np.asarray(image, dtype=np.int16) + rng.normal(0, 12, (SIDE, SIDE, 3))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def write_catalogue(folder: Path, items: int, users: int, events: int, seed: int = 0) -> None:
    """A data folder with pictures."""
    rng = np.random.default_rng(seed)
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    styles = rng.integers(STYLES, size=items)
    rows = []
    for n, style in enumerate(styles):
        drawn(int(style), rng).save(folder / "pictures" / f"{n}.png")
        title = f"{' '.join(rng.choice(WORDS, 2, replace=False))} {rng.choice(THINGS)}"
        rows.append({"item_id": f"i{n}", "title": title, "image": f"pictures/{n}.png"})
    pq.write_table(pa.Table.from_pylist(rows), folder / "items.parquet")
    of_style = [np.flatnonzero(styles == style) for style in range(STYLES)]
    log = []
    for user in range(users):
        liked = rng.choice(STYLES, 2, replace=False)
        wanted = np.concatenate([of_style[s] for s in liked])
        taken = rng.choice(wanted, min(len(wanted), events), replace=False)
        # One in ten is chance.
        taken = np.where(rng.random(len(taken)) < 0.1, rng.integers(items, size=len(taken)), taken)
        log += [{"user_id": f"u{user}", "item_id": f"i{i}", "timestamp": 60 * n} for n, i in enumerate(taken)]
    pq.write_table(pa.Table.from_pylist(log), folder / "interactions.parquet")


@click.command(help=__doc__, context_settings={"show_default": True})
@click.option("--folder", required=True, type=click.Path(path_type=Path), help="For the catalogue and the models.")
@click.option("--items", default=2400)
@click.option("--users", default=1500)
@click.option("--events", default=8, help="Of each user.")
@click.option("--minutes", default=2.0, help="Of training, each arm.")
@click.option("--config", default="", help="As of any job.")
def main(folder: Path, items: int, users: int, events: int, minutes: float, config: str) -> None:
    data = folder / "data"
    if not (data / "interactions.parquet").exists():
        write_catalogue(data, items, users, events)
    told = ["--config", config] if config else []
    rows: list[list[Any]] = []
    for ids in (False, True):
        for label, encoder in (
            ("text", DEFAULT_ENCODER),
            ("text and picture", f"{DEFAULT_ENCODER}|efficientnet-lite0"),
        ):
            name = f"{label.replace(' ', '-')}{'-ids' if ids else ''}"
            file = folder / f"{name}.yaml"
            settings = {"model": {"interests": 2, "length": 20, "use_ids": ids}, "window": 1, "encoder": encoder}
            file.write_bytes(msgspec.yaml.encode(settings))
            common = (*told, "--data", str(data), "--models", str(folder / "models"), "--name", name)
            trained(
                folder / "models",
                name,
                *told,
                "--data",
                str(data),
                "--train-config",
                str(file),
                "--minutes",
                str(minutes),
            )
            found = run_job("evaluate_redrec", *common)["rows"]
            if not rows:
                rows += [[base, *_figures(found[base])] for base in ("popularity", "item-kNN")]
            own = next(row for key, row in found.items() if key.startswith(f"{name}@"))
            rows.append([f"{label}{', id embeddings' if ids else ''}", *_figures(own)])
    print_table(f"{items:,} items of {STYLES} styles, {users:,} users", ["", "HR@10", "HR@50", "NDCG@10"], rows)


def _figures(found: dict[str, dict[str, float]]) -> list[float]:
    return [found["masked"][metric] for metric in ("hr@10", "hr@50", "ndcg@10")]


if __name__ == "__main__":
    main()
