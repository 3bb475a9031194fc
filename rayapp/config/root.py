"""The whole configuration, typed, from one YAML file; an unknown key is an error.

Each section belongs to the package that reads it (its `settings.py`); this module
nests them, loads them, and resolves what follows from several of them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import msgspec

from rayapp import env
from rayapp.config.ports import Ports
from rayapp.config.serving import Experiments, Serving
from rayapp.config.training import Training
from rayapp.content.settings import DEFAULT_ENCODER, EncoderCache
from rayapp.domain import DEFAULT_SCENARIOS
from rayapp.llm.settings import Llm, LlmAccess
from rayapp.redrec.online.settings import OnlineSettings
from rayapp.search.settings import Search
from rayapp.section import ConfigError, Count, Section
from rayapp.stores.settings import History, Store
from streaming.settings import Broker, Kafka

# (section, key) of earlier versions to the section that has the key now; None: it never did anything.
MOVED: dict[tuple[str, str], str | None] = {
    ("serving", "ads_cap"): "history",
    ("serving", "ads_cap_hours"): "history",
    ("learner", "min_rows"): None,
}


class Config(Section, frozen=True):
    """Everything; `state` is where models, logs and embedded data live.

    `encoder`: what content vectors are made by, TEXT or TEXT|IMAGE (rayapp/content/item_encoder.py); with pictures,
    `images` is the folder or URL below which they are read.
    """

    state: str = ".rayapp"
    name: str = "redrec"
    scenarios: tuple[str, ...] = DEFAULT_SCENARIOS
    cpus: Count = 8
    encoder: str = DEFAULT_ENCODER
    images: str = ""
    ports: Ports = Ports()
    kafka: Kafka = Kafka()
    store: Store = Store()
    history: History = History()
    serving: Serving = Serving()
    learner: OnlineSettings = OnlineSettings()
    training: Training = Training()
    llm: Llm = Llm()
    search: Search = Search()
    experiments: Experiments = Experiments()

    @property
    def broker(self) -> Broker:
        return self.kafka.at(f"127.0.0.1:{self.ports.kafka}")

    @property
    def bootstrap(self) -> str:
        return self.broker.address

    def topic(self, name: str) -> str:
        return self.broker.topic(name)

    @property
    def store_url(self) -> str:
        return self.store.url or f"redis://127.0.0.1:{self.ports.store}/0"

    @property
    def llm_url(self) -> str:
        return self.llm.url or f"http://127.0.0.1:{self.ports.http}/llm/v1"

    @property
    def llm_access(self) -> LlmAccess:
        key = self.api_keys[0] if self.api_keys else ""
        return LlmAccess(self.llm, self.llm_url, str(self.llm_cache), key)

    @property
    def models(self) -> str:
        return f"{self.state}/models"

    @property
    def state_path(self) -> Path:
        return Path(self.state)

    @property
    def llm_cache(self) -> Path:
        """Language models that were unpacked or merged."""
        return self.state_path / "llm"

    @property
    def encoder_cache(self) -> EncoderCache:
        return EncoderCache(self.state_path / "cache", self.llm_cache)

    @property
    def api_keys(self) -> tuple[str, ...]:
        return env.read().api_keys

    @property
    def host(self) -> str:
        """Without API keys the server listens on this machine only."""
        return self.serving.host or ("0.0.0.0" if self.api_keys else "127.0.0.1")


def load_config(file: str | Path | None = None) -> Config:
    """Defaults, overlaid with a YAML file. Raises ConfigError."""
    if file is None:
        return Config()
    try:
        content = Path(file).read_bytes()
    except OSError as error:
        raise ConfigError(f"config {file} cannot be read: {error.strerror}") from None
    try:
        raw: Any = _moved(msgspec.yaml.decode(content)) if content.strip() else {}
    except msgspec.DecodeError as error:
        raise ConfigError(f"config {file}: {error}; give YAML") from None
    try:
        return msgspec.convert(raw, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(
            f"config {file}: {_explained(str(error), raw)}; docs/reference/configuration.md has every key"
        ) from None


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


def _moved(raw: Any) -> Any:
    """Keys of earlier versions under the sections that own them now. Raises ConfigError when both are given."""
    if not isinstance(raw, dict):
        return raw
    sections = cast("dict[str, Any]", raw)
    for (section, key), owner in MOVED.items():
        old: dict[str, Any] | Any = sections.get(section)
        if not isinstance(old, dict) or key not in old:
            continue
        old = cast("dict[str, Any]", old)
        sections = {**sections, section: {k: v for k, v in old.items() if k != key}}
        if owner is None:
            continue
        new: dict[str, Any] | Any = sections.get(owner) or {}
        if not isinstance(new, dict):
            continue  # the typed reading refuses it, with its key
        new = cast("dict[str, Any]", new)
        if key in new:
            raise ConfigError(f"{section}.{key} is now {owner}.{key}, and both are given; remove {section}.{key}")
        sections[owner] = {**new, key: old[key]}
    return sections


def _explained(error: str, raw: Any) -> str:
    """msgspec's message with the key in front, and the value that it refuses where that is a plain one."""
    text, at, path = error.partition(" - at `$")
    if not at:
        return error
    keys = re.findall(r"\w+", path)
    value = raw
    for key in keys:
        value = cast("dict[str, Any]", value).get(key) if isinstance(value, dict) else None
    given = f"{value!r}: " if isinstance(value, str | int | float) else ""
    return f"{'.'.join(keys)}: {given}{text}"
