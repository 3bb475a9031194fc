"""The keys of msgspec Structs, found by walking the types: name, type, default, limits, description."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
from msgspec import inspect as types

from docs.generate.descriptions import described
from docs.generate.markdown import first_paragraph, sentences


class Key(NamedTuple):
    path: str
    type: str
    default: str
    description: str


class Section(NamedTuple):
    """One Struct: `path` is empty for the root, `name` the class, `keys` without nested Structs."""

    path: str
    name: str
    summary: str
    keys: list[Key]


def sections(root: type[msgspec.Struct], page: str) -> list[Section]:
    """The root and every Struct below it, depth first; a Struct in a list, a mapping or a union counts too."""
    found: list[Section] = []
    _walk(root, "", page, found)
    return found


def _walk(kind: type[msgspec.Struct], path: str, page: str, found: list[Section]) -> None:
    info: Any = types.type_info(kind)
    keys, nested = [], []
    tag = [(info.tag_field, repr(info.tag))] if info.tag_field else []
    for name, value in tag:
        where = _join(path, name)
        keys.append(Key(where, f"`{value}`", "required", described(page, where) or "Which kind this is."))
    for field in info.fields:
        where = _join(path, field.encode_name)
        below = list(_structs(field.type, where))
        text = _description(field, kind, page, where) or (f"The keys of `{below[0][0]}`, below." if below else "")
        keys.append(Key(where, type_name(field.type), default_of(field, bool(below)), text))
        nested += below
    found.append(Section(path, kind.__name__, first_paragraph(kind.__doc__), keys))
    for where, struct in nested:
        if all(section.path != where for section in found):
            _walk(struct, where, page, found)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _structs(kind: Any, path: str) -> Iterator[tuple[str, type]]:
    if isinstance(kind, types.Metadata):
        yield from _structs(kind.type, path)
    elif isinstance(kind, types.StructType):
        yield path, kind.cls
    elif isinstance(kind, types.UnionType):
        structs = [member for member in kind.types if isinstance(member, types.StructType)]
        for member in kind.types:
            tag = f"({member.tag})" if isinstance(member, types.StructType) and len(structs) > 1 else ""
            yield from _structs(member, f"{path}{tag}")
    elif isinstance(kind, types.DictType):
        yield from _structs(kind.value_type, f"{path}.NAME")
    elif isinstance(kind, types.VarTupleType | types.ListType):
        yield from _structs(kind.item_type, f"{path}[]")
    elif isinstance(kind, types.TupleType):
        for member in kind.item_types:
            yield from _structs(member, f"{path}[]")


def type_name(kind: Any) -> str:
    """The type as a reader of YAML or JSON would say it, with its limits."""
    if isinstance(kind, types.Metadata):
        return type_name(kind.type)
    if isinstance(kind, types.LiteralType):
        return " or ".join(f"`{value}`" for value in kind.values)
    if isinstance(kind, types.EnumType):
        return ", ".join(f"`{member.value}`" for member in kind.cls)
    if isinstance(kind, types.StructType):
        return "mapping"
    if isinstance(kind, types.UnionType):
        names = [type_name(member) for member in kind.types if not isinstance(member, types.NoneType)]
        return " or ".join(dict.fromkeys(names))
    if isinstance(kind, types.VarTupleType | types.ListType):
        return f"list of {type_name(kind.item_type)}"
    if isinstance(kind, types.TupleType):
        return f"[{', '.join(type_name(member) for member in kind.item_types)}]"
    if isinstance(kind, types.DictType):
        return f"mapping of {type_name(kind.key_type)} to {type_name(kind.value_type)}"
    return _plain(kind)


def _plain(kind: Any) -> str:
    names = {"IntType": "integer", "FloatType": "number", "StrType": "text", "BoolType": "true or false"}
    name = names.get(type(kind).__name__, "any value")
    low, high = getattr(kind, "ge", None), getattr(kind, "le", None)
    above, below = getattr(kind, "gt", None), getattr(kind, "lt", None)
    short, long = getattr(kind, "min_length", None), getattr(kind, "max_length", None)
    limits = [f"≥ {_number(low)}"] if low is not None else [f"> {above:g}"] if above is not None else []
    limits += [f"≤ {high:,}"] if high is not None else [f"< {below:g}"] if below is not None else []
    limits += [f"{short or 0} to {long:,} characters"] if long else [f"at least {short} characters"] if short else []
    return f"{name}, {', '.join(limits)}" if limits else name


def _number(value: float) -> str:
    return f"{value:,}" if value == int(value) else f"{value:.4g}"


def default_of(field: Any, section: bool) -> str:
    if field.required:
        return "required"
    if section:
        return ""
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    if value is None:
        return ""
    plain = msgspec.to_builtins(value)
    if plain == "":
        return "empty"
    return f"`{msgspec.json.encode(plain).decode()}`" if not isinstance(plain, str) else f"`{plain}`"


def _description(field: Any, kind: type, page: str, path: str) -> str:
    """From the type's own Meta, else descriptions.yaml, else the sentences of the docstring that name the key."""
    if isinstance(field.type, types.Metadata):
        text = (field.type.extra_json_schema or {}).get("description")
        if text:
            return str(text)
    if text := described(page, path):
        return text
    name = re.compile(rf"`{re.escape(field.encode_name)}`")
    return " ".join(s for s in sentences(kind.__doc__ or "") if name.search(s))
