"""Every number of what people write in YAML against values that no number should have: refused with its key, or used."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from msgspec import inspect as types

from jobs import RECIPES
from rayapp.config import Config, load_config
from rayapp.errors import UserError
from rayapp.redone.recipe import Recipe, load_recipe
from rayapp.redrec.training.trainer import TrainConfig
from rayapp.training.redrec_settings import load_train_config

HOSTILE = [".nan", ".inf", "-.inf", "-1", "1.0e+308", "1e308", "-1.0e-320", "1.0e-320", "words", "[[1]]", "{a: 1}"]
HOSTILE += ["null", "1" + "0" * 400, "1" + "0" * 5000, "2020-13-41", "true", "'1'"]


class Document(NamedTuple):
    """A kind of file. `rest`: what stands in it beside the key that is tried."""

    kind: type[msgspec.Struct]
    load: Callable[[Path], Any]
    rest: str = ""


DOCUMENTS = {
    "config": Document(Config, load_config),
    "training": Document(TrainConfig, lambda file: load_train_config(str(file), {}, packaged=RECIPES)),
    "recipe": Document(
        Recipe, lambda file: load_recipe(file, "finetune"), "sources: [{name: general, kind: text, path: x}]\n"
    ),
}


def numbers(kind: type[msgspec.Struct], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Path and type of every key that is a number."""
    info: Any = types.type_info(kind)
    for field in info.fields:
        for one in field.type.types if isinstance(field.type, types.UnionType) else [field.type]:
            if isinstance(one, types.StructType):
                yield from numbers(one.cls, f"{prefix}{field.name}.")
            elif isinstance(one, types.IntType | types.FloatType):
                yield f"{prefix}{field.name}", one


NUMBERS = {(name, path): kind for name, document in DOCUMENTS.items() for path, kind in numbers(document.kind)}


def yaml_of(path: str, value: str) -> str:
    *sections, key = path.split(".")
    return "".join(f"{section}: {{" for section in sections) + f"{key}: {value}" + "}" * len(sections)


def load(file: Path, name: str, path: str, *, value: str) -> Any:
    file.write_text(f"{DOCUMENTS[name].rest}{yaml_of(path, value)}\n")
    found = DOCUMENTS[name].load(file)
    for key in path.split("."):
        found = getattr(found, key)
    return found


def test_there_are_many() -> None:
    assert len(NUMBERS) > 100
    assert ("config", "history.popularity_half_life_days") in NUMBERS
    assert ("training", "model.temperature") in NUMBERS
    assert ("recipe", "cleaning.quality.odd") in NUMBERS


@pytest.mark.parametrize(("name", "path"), NUMBERS)
def test_both_limits_are_set(name: str, path: str) -> None:
    kind = NUMBERS[name, path]
    assert kind.ge is not None
    assert kind.le is not None
    assert math.isfinite(kind.le)


@pytest.mark.parametrize(("name", "path"), NUMBERS)
def test_the_limits_hold_at_their_edges(tmp_path: Path, name: str, path: str) -> None:
    kind = NUMBERS[name, path]
    for inside in (kind.ge, kind.le):
        try:
            load(tmp_path / "c.yaml", name, path, value=msgspec.yaml.encode(inside).decode().split()[0])
        except UserError as error:  # a neighbour may contradict it, never its type
            assert "Expected" not in str(error)
    for outside in (kind.ge - 1, kind.le + max(1, kind.le * 1e-9)):
        with pytest.raises(UserError, match=path.replace(".", r"\.")):
            load(tmp_path / "c.yaml", name, path, value=repr(outside))


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize(("name", "path"), NUMBERS)
def test_a_hostile_value_is_refused_in_one_line_with_its_key_or_is_a_usable_number(
    tmp_path: Path, name: str, path: str, value: str
) -> None:
    try:
        found = load(tmp_path / "c.yaml", name, path, value=value)
    except UserError as error:
        assert "\n" not in str(error)
        if value not in ("1" + "0" * 5000, "2020-13-41"):  # no YAML: the reader cannot say whose they are
            assert path in str(error)
        return
    assert math.isfinite(found)
