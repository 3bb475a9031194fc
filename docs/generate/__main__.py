"""Write the reference pages, or check that they are up to date."""

from __future__ import annotations

import sys

import click

from docs.generate.pages import write


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; name the pages that are missing or out of date, exit 1.")
def main(check: bool) -> None:
    """Generate docs/reference from the code."""
    changed = write(check)
    for name in changed:
        click.echo(f"out of date: {name}" if check else f"written: {name}", err=check)
    if check and changed:
        click.echo("run: python -m docs.generate", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
