"""What is wrong with a configuration: each key on its own by its type, then what several keys say together."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, cast

import msgspec

from rayapp.config.root import Config
from rayapp.parsing import number_hint
from rayapp.section import ConfigError
from streaming.settings import DECIDED, client_problem

MAX_SCENARIOS = 1000
HOST = re.compile(r"[A-Za-z0-9.:_\[\]-]{1,255}\Z")


def key_problems(raw: Any, kind: type[msgspec.Struct] = Config, prefix: str = "") -> Iterator[str]:
    """One line for each key that is unknown or whose value its type refuses: key, value, limit."""
    if not isinstance(raw, dict):
        yield f"{prefix.rstrip('.') or 'the file'}: {_shown(raw)}a mapping of keys to values is expected"
        return
    fields: dict[str, Any] = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    for key, value in cast("dict[Any, Any]", raw).items():
        path = f"{prefix}{key}"
        wanted = fields.get(key)
        section = _section(wanted)
        if wanted is None:
            near = difflib.get_close_matches(str(key), fields, 1)
            yield f"{path}: this version knows no such key" + (f"; is it {prefix}{near[0]}?" if near else "")
        elif section is not None:
            yield from key_problems(value, section, f"{path}.")
        else:
            try:
                msgspec.convert(value, wanted)
            except (msgspec.ValidationError, OverflowError) as error:
                yield f"{path}: {_shown(value)}{str(error).partition(' - at ')[0]}{number_hint(value)}"


def joint_problems(config: Config) -> Iterator[str]:
    """One line for each contradiction between keys, and for values that no type describes."""
    yield from _port_problems(config)
    if config.learner.lr_floor > config.learner.lr:
        yield f"learner.lr_floor: {config.learner.lr_floor:g}: must be at most learner.lr, {config.learner.lr:g}"
    if not 1 <= len(config.scenarios) <= MAX_SCENARIOS:
        yield f"scenarios: {len(config.scenarios)} are given, 1 to {MAX_SCENARIOS} can be"
    for name, times in Counter(config.scenarios).items():
        if times > 1:
            yield f"scenarios: {name!r} is given {times} times; leave one"
        if not (1 <= len(name) <= 64 and name.isprintable() and name == name.strip()):
            yield f"scenarios: {name[:80]!r}: a name has 1 to 64 printable characters, without spaces at its ends"
    for name in config.kafka.client:
        if name in DECIDED:
            remedy = f"; set {DECIDED[name]}" if DECIDED[name] else "; leave it out"
            yield f"kafka.client: {name} is decided by rayapp{remedy}"
    if config.kafka.client and (refused := client_problem(config.kafka.client)) is not None:
        yield f"kafka.client: {refused}; see librdkafka's CONFIGURATION.md"
    if config.serving.host and not HOST.match(config.serving.host):
        yield f"serving.host: {config.serving.host[:80]!r}: give an address or a name, such as 127.0.0.1"
    for path, text in (("state", config.state), ("encoder", config.encoder)):
        if not text or not text.isprintable():
            yield f"{path}: {text[:80]!r}: give printable text"


def _section(kind: Any) -> type[msgspec.Struct] | None:
    return kind if isinstance(kind, type) and issubclass(kind, msgspec.Struct) else None


def _port_problems(config: Config) -> Iterator[str]:
    ports = msgspec.structs.asdict(config.ports)
    low, high = ports.pop("worker_low"), ports.pop("worker_high")
    if low >= high:
        yield f"ports.worker_low: {low}: must be below ports.worker_high, {high}"
    holders: dict[int, list[str]] = {}
    for name, port in ports.items():
        holders.setdefault(port, []).append(f"ports.{name}")
        if low <= port <= high:
            yield f"ports.{name}: {port}: is between ports.worker_low and ports.worker_high ({low} to {high})"
    for port, names in holders.items():
        if port and len(names) > 1:
            yield f"{', '.join(names)}: {port}: each needs a port of its own"


def check(config: Config, what: str) -> Config:
    """The same configuration. Raises ConfigError with the first contradiction; `what`: where it is from."""
    for problem in joint_problems(config):
        raise ConfigError(f"{what}: {problem}")
    return config


def _shown(value: Any) -> str:
    return f"{str(value)[:80]!r}: " if isinstance(value, str) else f"{value!r}"[:80] + ": " if _plain(value) else ""


def _plain(value: Any) -> bool:
    return isinstance(value, int | float) or value is None
