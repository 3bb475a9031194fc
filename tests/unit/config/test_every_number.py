"""Every numeric key of the configuration against values that no number should have: refused with its key, or used."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import inspect as types

from rayapp.config import Config, ConfigError, load_config

HOSTILE = [".nan", ".inf", "-.inf", "-1", "1.0e+308", "1e308", "-1.0e-320", "1.0e-320", "words", "[[1]]", "{a: 1}"]
HOSTILE += ["null", "1" + "0" * 400, "1" + "0" * 5000, "2020-13-41", "true", "'1'"]


def numbers(kind: type[msgspec.Struct] = Config, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Path and type of every key that is a number."""
    info: Any = types.type_info(kind)
    for field in info.fields:
        if isinstance(field.type, types.StructType):
            yield from numbers(field.type.cls, f"{prefix}{field.name}.")
        elif isinstance(field.type, types.IntType | types.FloatType):
            yield f"{prefix}{field.name}", field.type


NUMBERS = dict(numbers())


def yaml_of(path: str, value: str) -> str:
    section, _, key = path.rpartition(".")
    return f"{section}: {{{key}: {value}}}" if section else f"{key}: {value}"


def test_there_are_many() -> None:
    assert len(NUMBERS) > 50
    assert {"ports.http", "history.popularity_half_life_days", "cpus", "training.minutes"} <= set(NUMBERS)


@pytest.mark.parametrize("path", NUMBERS)
def test_both_limits_are_set(path: str) -> None:
    kind = NUMBERS[path]
    assert (kind.ge, kind.le) != (None, None)
    assert kind.ge is not None
    assert kind.le is not None
    assert math.isfinite(kind.le)


@pytest.mark.parametrize("path", NUMBERS)
def test_the_limits_hold_at_their_edges(tmp_path: Path, path: str) -> None:
    file = tmp_path / "c.yaml"
    for inside in (NUMBERS[path].ge, NUMBERS[path].le):
        file.write_text(yaml_of(path, msgspec.yaml.encode(inside).decode().split()[0]))
        try:
            load_config(file)
        except ConfigError as error:  # a neighbour may contradict it, never its type
            assert "Expected" not in str(error)
    for outside in (NUMBERS[path].ge - 1, NUMBERS[path].le + 1):
        file.write_text(yaml_of(path, repr(outside)))
        with pytest.raises(ConfigError, match=path.replace(".", r"\.")):
            load_config(file)


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("path", NUMBERS)
def test_a_hostile_value_is_refused_in_one_line_with_its_key_or_is_a_usable_number(
    tmp_path: Path, path: str, value: str
) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(yaml_of(path, value))
    try:
        found: Any = load_config(file)
    except ConfigError as error:
        assert "\n" not in str(error)
        if value not in ("1" + "0" * 5000, "2020-13-41"):  # no YAML: the reader cannot say whose they are
            assert path in str(error)
        return
    for name in path.split("."):
        found = getattr(found, name)
    assert math.isfinite(found)
