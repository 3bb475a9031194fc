"""The configuration as a file: YAML that says what differs from the defaults, and the version of its format."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import msgspec

from rayapp.config.checks import check, joint_problems, key_problems
from rayapp.config.root import Config
from rayapp.parsing import Unreadable, yaml_value
from rayapp.secrets import write_private
from rayapp.section import ConfigError

FORMAT = 1  # rises when a key changes its meaning; a key that moves is in MOVED
# (section, key) of earlier versions to the section that has the key now; None: it never did anything.
MOVED: dict[tuple[str, str], str | None] = {
    ("serving", "ads_cap"): "history",
    ("serving", "ads_cap_hours"): "history",
    ("learner", "min_rows"): None,
}


def load_config(file: str | Path | None = None) -> Config:
    """Defaults, overlaid with a YAML file. Raises ConfigError."""
    if file is None:
        return Config()
    raw = _read(file)
    for problem in key_problems(raw):
        raise ConfigError(
            f"config {file}: {problem}; docs/reference/configuration.md has every key, and `rayapp config check "
            f"{file}` names all that is wrong"
        )
    return check(msgspec.convert(raw, Config), f"config {file}")


def file_problems(file: str | Path) -> list[str]:
    """Everything that is wrong with a file, a line each; a file that is no YAML has one line."""
    try:
        raw = _read(file)
        found = list(key_problems(raw))
        return found or list(joint_problems(msgspec.convert(raw, Config)))
    except ConfigError as error:
        return [str(error)]


def save_config(config: Config, file: str | Path) -> None:
    """Write what differs from the defaults, so that a new version's defaults arrive; only the owner reads it."""
    plain: dict[str, Any] = msgspec.to_builtins(config)
    differing = _difference(plain, msgspec.to_builtins(Config()))
    write_private(Path(file), msgspec.yaml.encode({"format": FORMAT, **differing}))


def _read(file: str | Path) -> dict[str, Any]:
    """Keys to values without `format`, each under the section that owns it now. Raises ConfigError."""
    try:
        content = Path(file).read_bytes()
    except OSError as error:
        raise ConfigError(f"config {file} cannot be read: {error.strerror}") from None
    try:
        raw = yaml_value(content, what=f"config {file}")
    except Unreadable as error:
        raise ConfigError(str(error)) from None
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise ConfigError(f"config {file}: a mapping of keys to values is expected, such as `ports: {{http: 8080}}`")
    keys = dict(cast("dict[str, Any]", raw))
    written = keys.pop("format", FORMAT)
    if not isinstance(written, int) or isinstance(written, bool) or not 1 <= written <= FORMAT:
        raise ConfigError(
            f"config {file}: format: {str(written)[:80]}: this version reads formats 1 to {FORMAT}; install the rayapp "
            "that wrote it, or compare it with `rayapp config check`"
        )
    return _moved(keys)


def _difference(value: dict[str, Any], default: dict[str, Any]) -> dict[str, Any]:
    """The keys whose values differ. A mapping that has no default keys is one value."""
    found: dict[str, Any] = {}
    for key, own in value.items():
        usual = default[key]
        if own == usual:
            continue
        found[key] = _difference(own, cast("dict[str, Any]", usual)) if isinstance(usual, dict) and usual else own
    return found


def _moved(raw: dict[str, Any]) -> dict[str, Any]:
    """Keys of earlier versions under the sections that own them now. Raises ConfigError when both are given."""
    sections = raw
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
