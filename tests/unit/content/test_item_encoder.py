"""Texts and pictures to content vectors: by real encoders, once each, whatever is wrong with a picture."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from rayapp.content import item_encoder
from rayapp.content.image_encoder import ImageEncoder, ImageError, below, opened, read_bytes
from rayapp.content.item_encoder import ItemEncoder, content_key, encode_items_cached
from rayapp.content.text_encoder import DEFAULT_ENCODER, TextEncoder, text_key
from rayapp.domain import Item

BOTH = f"{DEFAULT_ENCODER}|efficientnet-lite0"


def picture(file: Path, colour: tuple[int, int, int], dots: int = 0) -> str:
    image = Image.new("RGB", (90, 60), colour)
    for n in range(dots):
        image.paste((255, 255, 255), (10 + 9 * n, 20, 15 + 9 * n, 40))
    image.save(file)
    return str(file)


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> list[Item]:
    folder = tmp_path_factory.mktemp("pictures")
    red, red2 = picture(folder / "red.png", (200, 0, 0)), picture(folder / "red2.jpg", (210, 5, 5))
    dots = picture(folder / "dots.png", (0, 40, 200), dots=8)
    (folder / "broken.png").write_bytes(b"no picture")
    return [
        Item(item_id="red", title="a scarf", image=red),
        Item(item_id="red2", title="a scarf", image=red2),
        Item(item_id="dots", title="a scarf", image=dots),
        Item(item_id="plain", title="a teapot"),
        Item(item_id="broken", title="a scarf", image=str(folder / "broken.png")),
        Item(item_id="gone", title="a scarf", image=str(folder / "gone.png")),
    ]


def test_text_and_picture_stand_side_by_side(items: list[Item]) -> None:
    encoder = ItemEncoder(BOTH)
    text = TextEncoder().encode([item.text for item in items])
    vectors = encoder.encode_items(items)
    assert vectors.shape == (6, encoder.dim) == (6, 384 + 1280)
    assert np.allclose(vectors[:, :384], text, atol=1e-5)
    assert np.allclose(np.linalg.norm(vectors[:, 384:], axis=1), [1, 1, 1, 0, 0, 0], atol=1e-5)
    like = vectors[:, 384:] @ vectors[0, 384:]
    assert like[1] > 0.9 > like[2] + 0.2
    assert [said.split(":")[0] for said in encoder.unreadable] == ["item broken", "item gone"]
    encoder.encode_items(items[:1])
    assert encoder.unreadable == [], "a writer that runs for months remembers none"
    assert np.array_equal(encoder.encode(["a scarf"])[0, 384:], np.zeros(1280))


def test_the_key_names_encoder_text_and_the_pictures_bytes(items: list[Item], tmp_path: Path) -> None:
    keys = [content_key(BOTH, item) for item in items]
    assert len(set(keys[:4])) == 4
    assert content_key(DEFAULT_ENCODER, items[0]) == text_key(DEFAULT_ENCODER, "a scarf")
    copy = tmp_path / "copy.png"
    copy.write_bytes(Path(items[0].image or "").read_bytes())
    assert content_key(BOTH, msgspec.structs.replace(items[0], image=str(copy))) == keys[0]


def test_what_was_encoded_once_is_not_encoded_again(
    items: list[Item], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(item_encoder, "CHUNK", 2)
    told: list[tuple[int, int]] = []
    first, unreadable = encode_items_cached(BOTH, items[:3], tmp_path, on_progress=lambda *seen: told.append(seen))
    assert (told, unreadable) == ([(2, 3), (3, 3)], [])
    told.clear()
    again, unreadable = encode_items_cached(BOTH, items, tmp_path, on_progress=lambda *seen: told.append(seen))
    assert told == [(2, 3), (3, 3)]  # the teapot, and two scarves whose pictures cannot be read
    assert len(unreadable) == 2
    assert np.array_equal(again[:3], first)
    assert np.array_equal(again[4], again[5])
    assert np.allclose(again, ItemEncoder(BOTH).encode_items(items), atol=2e-3)


def test_a_clip_tower_by_its_folder(tmp_path: Path, items: list[Item]) -> None:
    settings = CLIPVisionConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, image_size=32, patch_size=8,
        projection_dim=12,
    )  # fmt: skip
    CLIPVisionModelWithProjection(settings).save_pretrained(tmp_path)
    encoder = ImageEncoder(f"clip:{tmp_path}")
    pictures = [opened(read_bytes(item.image), item.item_id) for item in items[:3] if item.image]
    vectors = encoder.encode(pictures)
    assert vectors.shape == (3, encoder.dim) == (3, 12)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_pictures_are_read_below_one_place_alone() -> None:
    assert below("/data/w", "a/b.png") == "/data/w/a/b.png" == below("/data/w/", "/data/w/a/b.png")
    assert below("s3://notes/pictures", "b.png") == "s3://notes/pictures/b.png"
    for root, name in (
        ("/data/w", "/etc/passwd"), ("/data/w", "../x.png"), ("/data/w", "/data/w/../x.png"),
        ("/data/w", "http://elsewhere/x.png"), ("s3://notes", "http://elsewhere/x.png"), ("", "x.png"),
    ):  # fmt: skip
        with pytest.raises(ImageError, match="only what lies there is read|names no `images`"):
            below(root, name)


def test_what_is_no_encoder_or_picture_is_said() -> None:
    with pytest.raises(ImageError, match="'resnet' is unknown; use efficientnet-lite0 or clip:ID"):
        ImageEncoder("resnet")
    with pytest.raises(ImageError, match="cannot be read"):
        read_bytes("/nowhere/x.png")
