"""Untyped upstream, or typed too loosely to check against: everything is Any."""

from typing import Any

def __getattr__(name: str) -> Any: ...
