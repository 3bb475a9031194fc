"""The HTTP reference: every route of the OpenAPI document with its parameters, body and answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from docs.generate import sources
from docs.generate.markdown import bullet, code, page, paragraph, table

METHODS = ("get", "put", "post", "delete", "patch")
ERRORS = "4", "5"


def http_page() -> str:
    document = sources.openapi()
    parts = [
        paragraph(
            "Every route of the gateway. A running system serves the same as an OpenAPI document at `/openapi.json` "
            "and as a page at `/docs`. [The contract](../contract.md) says what the calls mean; errors have one shape, "
            '`{"error": {"code", "message", "field"}}`. RedOne speaks the OpenAI protocol at `/llm/v1` and is not '
            "part of this document."
        )
    ]
    for path, method, operation in routes(document):
        parts += _route(path, method, operation, document)
    parts.append("## Schemas")
    for name, schema in sorted(document.get("components", {}).get("schemas", {}).items()):
        parts += _schema(name, schema)
    return page("HTTP reference", *parts)


def routes(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, operations in sorted(document["paths"].items()):
        for method in METHODS:
            if method in operations:
                yield path, method, operations[method]


def _route(path: str, method: str, operation: dict[str, Any], document: dict[str, Any]) -> list[str]:
    text = operation.get("description") or operation.get("summary") or ""
    parts = [f"## `{method.upper()} {path}`", *(paragraph(p) for p in text.split("\n\n"))]
    rows = [
        (code(p["name"]), p["in"], type_of(p["schema"]), _default(p), p.get("description", ""))
        for p in operation.get("parameters", [])
    ]
    if rows:
        parts.append(table(("Parameter", "In", "Type", "Default", "Description"), rows))
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        parts.append(paragraph(f"Body (`{kind}`): {type_of(content.get('schema', {}))}."))
    answers = [(status, answer) for status, answer in operation["responses"].items() if status[0] not in ERRORS]
    for status, answer in answers:
        shapes = [type_of(c["schema"]) for c in answer.get("content", {}).values() if c.get("schema")]
        parts.append(bullet(f"**{status}**: {' or '.join(shapes) or answer.get('description', '')}"))
    failures = sorted(status for status in operation["responses"] if status[0] in ERRORS)
    if failures:
        parts.append(bullet(f"Errors: {', '.join(failures)}"))
    return parts


def _default(parameter: dict[str, Any]) -> str:
    if parameter.get("required"):
        return "required"
    default = parameter["schema"].get("default")
    return "" if default is None else code(default)


def _schema(name: str, schema: dict[str, Any]) -> list[str]:
    required = schema.get("required", [])
    rows = [
        (code(key), type_of(value), "yes" if key in required else "", value.get("description", ""))
        for key, value in schema.get("properties", {}).items()
    ]
    parts = [f"### {name}", paragraph(schema.get("description", ""))]
    if "enum" in schema:
        parts.append(paragraph(f"One of {', '.join(code(v) for v in schema['enum'])}."))
    if rows:
        parts.append(table(("Field", "Type", "Required", "Description"), rows))
    return parts


def type_of(schema: dict[str, Any]) -> str:
    """A JSON schema in a few words; a reference becomes a link to its section."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(type_of(s) for s in schema["anyOf"] if s.get("type") != "null"))
    if "enum" in schema or "const" in schema:
        return ", ".join(code(value) for value in schema.get("enum", [schema.get("const")]))
    kind = schema.get("type", "any value")
    if isinstance(kind, list):
        kind = " or ".join(k for k in kind if k != "null")
    if kind == "array":
        # A tuple of fixed length has `prefixItems`, and `items: false` for what may follow.
        parts = schema.get("prefixItems") or [schema.get("items", {})]
        return f"list of {', '.join(dict.fromkeys(type_of(part) for part in parts))}"
    if kind == "object":
        keys = schema.get("properties")
        return f"object with {', '.join(code(key) for key in keys)}" if keys else "object"
    return f"{kind}{_limits(schema)}"


def _limits(schema: dict[str, Any]) -> str:
    limits = [f"≥ {schema['minimum']}"] if "minimum" in schema else []
    limits += [f"≤ {schema['maximum']}"] if "maximum" in schema else []
    if "maxLength" in schema:
        limits.append(f"{schema.get('minLength', 0)} to {schema['maxLength']} characters")
    return f", {', '.join(limits)}" if limits else ""
