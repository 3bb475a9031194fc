"""An experiment from its YAML to its report, with simulated users.

    python examples/experiment/run.py --state .rayapp --duration 300

Needs a running system (`make up`) with the sample world. Stops the experiment at the end; its report stays.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import msgspec

EXPERIMENT = Path(__file__).with_name("experiment.yaml")


def rayapp(state: str, *arguments: str) -> None:
    """One `rayapp` command, as a user types it. Exits with its code where it fails."""
    click.echo(f"$ rayapp {' '.join(arguments)}")
    command = [sys.executable, "-m", "rayapp.cli.main", "--state", state, *arguments]
    if code := subprocess.run(command).returncode:
        sys.exit(code)


@click.command()
@click.option("--state", default=".rayapp", show_default=True, help="State folder of the running system.")
@click.option("--file", type=click.Path(exists=True, path_type=Path), default=EXPERIMENT, help="The experiment.")
@click.option("--users", default=700, show_default=True, help="Simulated users.")
@click.option("--rate", default=6.0, show_default=True, help="Feeds a second.")
@click.option("--duration", default=300.0, show_default=True, help="Seconds of traffic.")
def main(state: str, file: Path, users: int, rate: float, duration: float) -> None:
    """An experiment from its YAML to its report, with simulated users."""
    name = msgspec.yaml.decode(file.read_bytes())["name"]
    rayapp(state, "experiment", "create", str(file))
    try:
        traffic = ("--users", str(users), "--rate", str(rate), "--duration", str(duration))
        rayapp(state, "simulate", *traffic)
        rayapp(state, "experiment", "report", name)
    finally:
        rayapp(state, "experiment", "stop", name)


if __name__ == "__main__":
    main()
