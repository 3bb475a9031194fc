"""The one door for documents: JSON and YAML of any origin become plain values here, or an error of ours.

What comes over HTTP, from a topic, from a file of a user or from the configuration is bounded in bytes and in nesting
before anything is built from it, and holds no number that arithmetic cannot hold. What the values mean is checked by
whoever reads them (`rayapp.domain` for records, `convert` for typed documents).
"""

from __future__ import annotations

import codecs
import math
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar, cast

import msgspec
import yaml

from rayapp.errors import UserError, one_line

MAX_DEPTH = 20  # levels of a document; the deepest of ours, an experiment with an interleaved arm, has six
MAX_YAML = 1_000_000  # bytes
MAX_BITS = 1024  # of a whole number: a double ends there, and Python shows none of more than 4,300 digits
T = TypeVar("T")


class Unreadable(UserError):
    """A document that is no JSON or YAML, or more than any reader needs; `reason` is a short label for metrics."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    def __reduce__(self) -> tuple[type[Unreadable], tuple[str, str]]:
        return Unreadable, (self.reason, str(self))


def json_value(data: bytes | str, *, what: str = "the value") -> Any:
    """Any JSON value. Raises Unreadable for text that is not JSON in UTF-8 (NaN and Infinity are none) or too deep."""
    try:
        return msgspec.json.decode(data)
    except RecursionError:
        raise Unreadable("too_deep", f"{what} is nested deeper than JSON is read; flatten it") from None
    except (msgspec.DecodeError, UnicodeError) as error:
        raise Unreadable("not_json", f"{what} is not JSON in UTF-8: {error}") from None


def json_object(data: bytes | str | None, *, what: str = "the value") -> dict[str, Any]:
    """A JSON object. Raises Unreadable."""
    if not data:
        raise Unreadable("empty", f"{what} is empty; send a JSON object in UTF-8")
    raw = json_value(data, what=what)
    if not isinstance(raw, dict):
        raise Unreadable("not_object", f"{what} is a JSON {_kind(raw)}; send an object")
    return cast("dict[str, Any]", raw)


def json_lines(lines: Iterable[bytes], *, what: str) -> Iterator[tuple[int, dict[str, Any] | Unreadable]]:
    """(line number from 1, object) of JSON lines; a line that cannot be read is given as its error, and blank ones are
    left out. The caller decides whether one bad line ends the reading."""
    for number, line in enumerate(lines, start=1):
        if number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)  # as editors of Windows write it
        if not line.strip():
            continue
        try:
            yield number, json_object(line, what=f"{what} line {number}")
        except Unreadable as error:
            yield number, error


def yaml_value(data: bytes | str, *, what: str, max_bytes: int = MAX_YAML) -> Any:
    """Any YAML value (JSON is a part of YAML); None for an empty document.

    Raises Unreadable for text that is no YAML in UTF-8, with aliases (a few lines of them grow beyond any memory),
    nested deeper than MAX_DEPTH (libyaml composes recursively in C: deep nesting ends the process), longer than
    `max_bytes`, or with numbers that are not finite.
    """
    size = len(data)
    if size > max_bytes:
        raise Unreadable("too_large", f"{what} has {size:,} bytes, at most {max_bytes:,} are read")
    try:
        text = data if isinstance(data, str) else data.decode()
        value = _json_within(text)
        if value is None:
            _check_nesting(text, what)
            value = msgspec.yaml.decode(text)
    except UnicodeError:
        raise Unreadable("not_yaml", f"{what} is not UTF-8; save it as UTF-8") from None
    except (yaml.YAMLError, msgspec.DecodeError) as error:
        raise Unreadable("not_yaml", f"{what} is neither JSON nor YAML: {one_line(error)}") from None
    except Unreadable:
        raise
    except Exception as error:  # PyYAML's constructors raise anything: a date of no calendar, 5,000 digits, !!bool x
        raise Unreadable("not_yaml", f"{what} holds a value that cannot be read: {one_line(error)}") from None
    check_finite(value, what=what)
    return value


def convert(value: Any, kind: type[T], *, what: str) -> T:
    """The typed document in plain values. Raises Unreadable, which names the key."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        said = one_line(error)
        raise Unreadable("invalid", f"{what}: {said}{number_hint(_value_at(value, said))}") from None


def number_hint(value: Any) -> str:
    """YAML takes 1e-4 for text: a number needs its point. Empty for what is no number in a text."""
    try:
        number = msgspec.yaml.encode(float(value)).decode().split()[0] if isinstance(value, str) else ""
    except ValueError:
        return ""
    return f"; YAML reads it as text, write {number}" if number else ""


def _value_at(value: Any, error: str) -> Any:
    """What stands where msgspec's error points; None for a place within a list, where it tells no number."""
    path = error.partition(" - at `$.")[2].partition("`")[0]
    for key in path.split(".") if path else ():
        value = cast("dict[str, Any]", value).get(key) if isinstance(value, dict) else None
    return value if path else None


def check_finite(value: Any, *, what: str) -> None:
    """Raises Unreadable for NaN and infinities anywhere in plain values, with their place."""
    waiting: list[tuple[str, Any]] = [("", value)]
    while waiting:
        place, one = waiting.pop()
        if isinstance(one, int) and one.bit_length() > MAX_BITS:
            raise Unreadable(
                "too_large", f"{what}: {place.lstrip('.') or 'the value'} has more digits than any number of ours"
            )
        if isinstance(one, float) and not math.isfinite(one):
            raise Unreadable("not_finite", f"{what}: {place.lstrip('.') or 'the value'} is {one}; give a finite number")
        if isinstance(one, dict):
            for key, child in cast("dict[Any, Any]", one).items():
                if isinstance(key, int) and key.bit_length() > MAX_BITS:
                    raise Unreadable("too_large", f"{what}: a key has more digits than any number of ours")
                waiting.append((f"{place}.{key}", child))
        elif isinstance(one, list):
            waiting += [(f"{place}[{n}]", child) for n, child in enumerate(cast("list[Any]", one))]


def _json_within(text: str) -> Any:
    """JSON as JSON: YAML reads 1e-05 as text. None for what is no JSON object or array, or is nested too deep."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None
    waiting: list[tuple[int, Any]] = [(1, value)]
    while waiting:
        depth, one = waiting.pop()
        if not isinstance(one, dict | list):
            continue
        if depth > MAX_DEPTH:
            return None
        children = cast("dict[str, Any]", one).values() if isinstance(one, dict) else cast("list[Any]", one)
        waiting += [(depth + 1, child) for child in children]
    return value


def _check_nesting(text: str, what: str) -> None:
    """Of YAML by its events, which libyaml gives one by one without recursion."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    depth = 0
    for event in cast("Any", yaml).parse(text, Loader=loader):
        if isinstance(event, yaml.AliasEvent):
            raise Unreadable("aliases", f"{what}: YAML aliases (*{event.anchor}) are not read; write the value out")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise Unreadable("too_deep", f"{what} is nested more than {MAX_DEPTH} levels deep; flatten it")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _kind(value: Any) -> str:
    names = {"list": "array", "str": "string", "bool": "boolean", "NoneType": "null"}
    return names.get(type(value).__name__, "number")
