"""A key that nothing reads is a promise that is not kept: whoever sets it believes that it works."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import msgspec

from rayapp.config import Config

ROOT = Path(__file__).resolve().parents[2]


def keys(kind: type[msgspec.Struct] = Config, prefix: str = "") -> Iterator[str]:
    """Every key that holds a value, by its path."""
    for field in msgspec.structs.fields(kind):
        path = f"{prefix}{field.name}"
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            yield from keys(field.type, f"{path}.")
        else:
            yield path


def attributes_read() -> set[str]:
    """Names of attributes that are read anywhere in the product."""
    names: set[str] = set()
    for package in ("rayapp", "streaming", "jobs"):
        for file in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                    names.add(node.attr)
    return names


def test_every_key_is_read_somewhere() -> None:
    read = attributes_read()
    assert {path for path in keys() if path.rpartition(".")[2] not in read} == set()
