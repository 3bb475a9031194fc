"""JSON schemas in requests to the language model: none that the engine cannot compile into a grammar."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rayapp.parsing import MAX_DEPTH, Unreadable, json_value
from rayapp.serving.llm.openai_errors import BadRequest

RECURSIVE = ("$dynamicRef", "$recursiveRef")
FREE = ("grammar", "structural_tag")  # grammars that the engine finds no fault with before they fail in it


def check_schemas(given: dict[str, Any]) -> None:
    """Of a whole request. Raises BadRequest."""
    for name, schema in _schemas(given):
        _no_recursion(schema, name)


def deeper_than(value: Any, levels: int) -> bool:
    """Whether objects and lists stand in each other more than `levels` times. Without recursion."""
    layer = [value] if isinstance(value, dict | list) else []
    for _ in range(levels):
        inside = [part for one in layer for part in (one.values() if isinstance(one, dict) else one)]
        layer = [part for part in inside if isinstance(part, dict | list)]
    return bool(layer)


def _schemas(given: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """(key, JSON schema) of all that the request has."""
    shape = given.get("response_format")
    if isinstance(shape, dict) and shape.get("type") == "json_schema":
        named = shape.get("json_schema")
        schema = named.get("schema") if isinstance(named, dict) else None
        if not isinstance(schema, dict):
            name = "response_format.json_schema.schema"
            raise BadRequest(f"{name} must be a JSON schema", name)
        yield "response_format", schema
    outputs = given.get("structured_outputs")
    if isinstance(outputs, dict):
        for key in FREE:
            if outputs.get(key) is not None:
                name = f"structured_outputs.{key}"
                raise BadRequest(f"{name} is not served; use json, regex or choice", name)
        yield "structured_outputs.json", _parsed(outputs.get("json"), "structured_outputs.json")
    yield "guided_json", _parsed(given.get("guided_json"), "guided_json")
    for tool in given["tools"] if isinstance(given.get("tools"), list) else ():
        function = tool.get("function") if isinstance(tool, dict) else None
        yield "tools", function.get("parameters") if isinstance(function, dict) else None


def _parsed(schema: Any, name: str) -> Any:
    """A schema may be sent as text."""
    if not isinstance(schema, str):
        return schema
    try:
        value = json_value(schema, what=name)
    except Unreadable as error:
        raise BadRequest(str(error), name) from None
    if deeper_than(value, MAX_DEPTH):
        raise BadRequest(f"{name} is nested more than {MAX_DEPTH} levels deep; flatten it", name)
    return value


def _no_recursion(root: Any, name: str) -> None:
    """A schema that refers to what it is a part of has no end that the engine finds. Raises BadRequest."""
    under_way, done = set[int](), set[int]()
    stack: list[tuple[Any, Iterator[Any]]] = [(root, _parts(root, root, name))]
    under_way.add(id(root))
    while stack:
        node, parts = stack[-1]
        part = next(parts, None)
        if part is None:
            stack.pop()
            under_way.discard(id(node))
            done.add(id(node))
        elif id(part) in under_way:
            raise BadRequest(f"{name}: a schema that refers to itself is not read; write its levels out", name)
        elif id(part) not in done:
            under_way.add(id(part))
            stack.append((part, _parts(part, root, name)))


def _parts(node: Any, root: Any, name: str) -> Iterator[Any]:
    """The objects and lists in a node, and what it refers to."""
    if isinstance(node, dict):
        if any(key in node for key in RECURSIVE):
            raise BadRequest(f"{name}: {' and '.join(RECURSIVE)} are not read; write the levels out", name)
        if isinstance(node.get("$ref"), str):
            target = _target(node["$ref"], root)
            if not isinstance(target, dict | bool):
                raise BadRequest(f"{name}: {node['$ref'][:100]!a} is no part of the schema", name)
            if isinstance(target, dict):
                yield target
    inside = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    yield from (part for part in inside if isinstance(part, dict | list))


def _target(ref: str, root: Any) -> Any:
    """What a JSON pointer such as #/$defs/a names; None for anything else."""
    start, _, pointer = ref.partition("#")
    found = root if not start and "#" in ref else None
    for key in pointer.split("/")[1:] if pointer else ():
        key = key.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list):
            found = found[int(key)] if key.isascii() and key.isdigit() and int(key[:9]) < len(found) else None
        else:
            found = found.get(key) if isinstance(found, dict) else None
    return found
