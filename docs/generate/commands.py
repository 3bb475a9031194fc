"""Click commands as Markdown: usage, arguments and options with their defaults."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from docs.generate.markdown import block, code, paragraph, table


def walk(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """Every command below a group, with the words that call it; groups without a call of their own are left out."""
    if isinstance(command, click.Group):
        for part, below in sorted(command.commands.items()):
            yield from walk(below, f"{name} {part}")
    else:
        yield name, command


def command_section(name: str, command: click.Command, heading: str = "##") -> list[str]:
    """Heading, text, usage and a table of parameters."""
    info = parameters(command)
    parts = [f"{heading} `{name}`", paragraph(command.help or ""), block(usage(name, command))]
    if info:
        parts.append(table(("Parameter", "Values", "Default", "Description"), info))
    return parts


def usage(name: str, command: click.Command) -> str:
    arguments = [p.make_metavar(_context(command)) for p in command.params if isinstance(p, click.Argument)]
    options = ["[OPTIONS]"] if any(isinstance(p, click.Option) for p in command.params) else []
    return " ".join([name, *options, *arguments])


def parameters(command: click.Command) -> list[tuple[str, str, str, str]]:
    """(names, values, default, help) of every parameter; --help itself is left out."""
    rows = []
    for parameter in command.params:
        names = " ".join(code(name) for name in _names(parameter, command))
        rows.append((names, _values(parameter), _default(parameter), getattr(parameter, "help", None) or ""))
    return rows


def _context(command: click.Command) -> click.Context:
    return click.Context(command)


def _names(parameter: click.Parameter, command: click.Command) -> list[str]:
    if isinstance(parameter, click.Argument):
        return [parameter.make_metavar(_context(command))]
    return [*parameter.opts, *parameter.secondary_opts]


def _values(parameter: click.Parameter) -> str:
    if getattr(parameter, "is_flag", False):
        return "flag"
    kind = parameter.type
    if isinstance(kind, click.Choice):
        text = ", ".join(code(choice) for choice in kind.choices)
    elif isinstance(kind, click.IntRange | click.FloatRange):
        text = f"{kind.name.removesuffix(' range')}{_range(kind)}"
    else:
        text = kind.name
    return f"{text}; repeatable" if parameter.multiple else text  # type: ignore[attr-defined]


def _range(kind: click.IntRange | click.FloatRange) -> str:
    low = "" if kind.min is None else f" {'>' if kind.min_open else '≥'} {kind.min:g}"
    high = "" if kind.max is None else f" {'<' if kind.max_open else '≤'} {kind.max:g}"
    return f"{low}{',' if low and high else ''}{high}"


def _default(parameter: click.Parameter) -> str:
    if parameter.required:
        return "required"
    value: Any = parameter.to_info_dict().get("default")
    empty = value is None or value is False or value in ("", (), []) or "UNSET" in repr(value).upper()
    return "" if empty else code(value)
