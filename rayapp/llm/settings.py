"""Settings of the language model, and the model that they mean."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from rayapp.section import PositiveSeconds, Section


class Llm(Section, frozen=True):
    """RedOne. `model`: RedOne-135M or SmolLM2-135M-Instruct (both packaged), any Hugging Face id or folder, a
    folder with a LoRA adapter, or BASE+ADAPTER; served as `name`.

    `url` empty: this system's own /llm/v1; otherwise any OpenAI-compatible vLLM
    server that runs the same model. `key`: the API key of the server at `url`, which RAYAPP_LLM_KEY replaces; the
    system's own API keys are not sent there. `policy`: a moderation policy's YAML, see
    rayapp/moderation/moderation.yaml; `calibration`: what `jobs.calibrate_moderation`
    wrote for this model and policy, empty: the packaged one. `classifier`: a folder that `jobs.train_moderation`
    wrote, empty: the packaged one; it judges first, and alone where `enabled` is false.
    `policies`: further policies by name, for arms of experiments.
    `prefills`: one a note, or one a category.
    Notes that no client waits for are judged in `backlog_share` of the time. The engine's are in the Serve YAML.
    """

    enabled: bool = True
    model: str = "RedOne-135M"
    name: str = "redone"
    url: str = ""
    key: str = ""
    policy: str = ""
    policies: dict[str, str] = msgspec.field(default_factory=dict)
    calibration: str = ""
    classifier: str = ""
    prefills: Literal["one", "each"] = "one"
    deadline_s: PositiveSeconds = 30.0
    batch: Annotated[int, Meta(ge=1, le=1024)] = 32
    backlog_share: Annotated[float, Meta(ge=0.001, le=1.0)] = 0.25


class LlmAccess(msgspec.Struct, frozen=True):
    """The configured model: where it answers, with which API key, and the folder below which models are unpacked."""

    settings: Llm
    url: str
    models: str
    key: str = ""

    @property
    def cache(self) -> Path:
        return Path(self.models)
