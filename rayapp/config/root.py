"""The whole configuration, typed: the sections that packages own (their `settings.py`), and what follows from several.

rayapp/config/file.py reads and writes it.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from rayapp import env
from rayapp.config.ports import Ports
from rayapp.config.serving import Experiments, Serving
from rayapp.config.store_password import store_password
from rayapp.config.training import Training
from rayapp.content.settings import DEFAULT_ENCODER, EncoderCache
from rayapp.domain import DEFAULT_SCENARIOS
from rayapp.llm.settings import Llm, LlmAccess
from rayapp.loopback import ADDRESS, is_loopback
from rayapp.redrec.online.settings import OnlineSettings
from rayapp.search.settings import Search
from rayapp.section import ConfigError, Few, Name, ScenarioName, Section
from rayapp.stores.settings import History, Store
from streaming.settings import Broker, Kafka

EVERYWHERE = ("0.0.0.0", "::", "")


class Config(Section, frozen=True):
    """Everything; `state` is where models, logs and embedded data live.

    `encoder`: what content vectors are made by, TEXT or TEXT|IMAGE (rayapp/content/item_encoder.py); with pictures,
    `images` is the folder or URL below which they are read.
    """

    state: str = ".rayapp"
    name: Name = "redrec"
    scenarios: tuple[ScenarioName, ...] = DEFAULT_SCENARIOS
    cpus: Few = 8
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
        return self.kafka.at(f"{ADDRESS}:{self.ports.kafka}")

    @property
    def bootstrap(self) -> str:
        return self.broker.address

    def topic(self, name: str) -> str:
        return self.broker.topic(name)

    @property
    def store_url(self) -> str:
        """With the embedded store's password: for clients, not for people (rayapp/secrets.py)."""
        if self.store.url:
            return self.store.url
        password = store_password(self.state_path)
        return f"redis://{f':{password}@' if password else ''}{ADDRESS}:{self.ports.store}/0"

    @property
    def http_address(self) -> str:
        """host:port at which processes on this machine reach the server."""
        host = self.serving.host.strip("[]")
        if host in EVERYWHERE:
            host = ADDRESS
        return f"[{host}]:{self.ports.http}" if ":" in host else f"{host}:{self.ports.http}"

    @property
    def llm_url(self) -> str:
        return self.llm.url or f"http://{self.http_address}/llm/v1"

    @property
    def llm_access(self) -> LlmAccess:
        """The first API key is the system's own: it never goes to a server elsewhere, which has `llm.key`."""
        elsewhere = env.read().llm_key or self.llm.key
        own = self.api_keys[0] if self.api_keys else ""
        key = elsewhere if self.llm.url else own
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
        """Raises ConfigError for keys that no header can carry."""
        keys = env.read().api_keys
        for key in keys:
            if not (key.isascii() and key.isprintable() and key == key.strip()):
                raise ConfigError(
                    f"{env.API_KEYS}: a key has characters that a header cannot carry; use printable ASCII without "
                    "spaces at its ends"
                )
        return keys

    @property
    def host(self) -> str:
        """Where the server listens. Without API keys that is this machine only. Raises ConfigError otherwise."""
        host = self.serving.host or ("0.0.0.0" if self.api_keys else ADDRESS)
        check_host(host, self.api_keys, "serving.host")
        return host


def check_host(host: str, keys: tuple[str, ...], what: str) -> None:
    """Raises ConfigError for a host that others reach when no API keys are set."""
    if not keys and not is_loopback(host):
        raise ConfigError(
            f"{what} {host!r} is open to the network, and there are no API keys: set {env.API_KEYS}=KEY in the "
            f"environment, or listen on {ADDRESS}"
        )


def with_data_scenarios(config: Config, found: list[str]) -> Config:
    """The same configuration with the scenarios found in the data added."""
    names = tuple(dict.fromkeys([*config.scenarios, *sorted(found)]))
    return msgspec.structs.replace(config, scenarios=names)
