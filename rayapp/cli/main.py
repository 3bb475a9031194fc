"""The `rayapp` console script."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from rayapp import __version__, env
from rayapp.cli.configuration import configuration
from rayapp.cli.file_problem import problem_behind
from rayapp.config import Config, load_config
from rayapp.errors import UserError
from rayapp.extras import missing


class Group(click.Group):
    """Known errors become one line and exit code 2."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except UserError as error:
            click.echo(f"rayapp: {error}", err=True)
            sys.exit(2)
        except (ModuleNotFoundError, OSError) as error:
            line = problem_behind(error) if isinstance(error, OSError) else missing(error)
            if line is None:
                raise
            click.echo(f"rayapp: {line}", err=True)
            sys.exit(2)


@click.group(cls=Group, context_settings={"show_default": True})
@click.version_option(__version__)
@click.option(
    "--state", default=".rayapp", envvar=env.STATE, help="State folder: models, logs, embedded broker and store."
)
@click.pass_context
def cli(ctx: click.Context, state: str) -> None:
    """Online recommendations, search and moderation for a social network of notes."""
    ctx.obj = state


class NeverStarted(UserError):
    """No system was ever started in this state folder."""


def running_config(state: str) -> Config:
    """The configuration a system in this state folder was started with. Raises NeverStarted."""
    file = Path(state).resolve() / "config.yaml"
    if not file.is_file():
        raise NeverStarted(f"nothing was ever started in {state}; run: rayapp up")
    return load_config(file)


@cli.command()
@click.option(
    "--data", type=click.Path(), help="Data folder; default: that of the last start, at first a generated sample world."
)
@click.option("--config", "config_file", type=click.Path(), help="Configuration YAML, over the defaults.")
@click.option("--port", type=click.IntRange(1, 65535), help="HTTP port (default 8000).")
@click.option("--kafka", help="Use the Kafka broker at HOST:PORT instead of the embedded one.")
@click.option("--store", help="Use the store at redis://… instead of the embedded one.")
@click.option(
    "--llm/--no-llm",
    "llm",
    default=None,
    help="Start with or without the language model; default: as at the last start, at first with.",
)
@click.option(
    "--detach", is_flag=True, help="Return when ready; default: stay in the foreground, and stop everything on Ctrl-C."
)
@click.pass_obj
def up(state: str, **options: object) -> None:
    """Start the system; an interrupted start continues where it stopped."""
    from rayapp.cli.up import run_up

    run_up(state, **options)  # type: ignore[arg-type]


@cli.command()
@click.pass_obj
def down(state: str) -> None:
    """Stop everything that `up` started; data and models are preserved."""
    from rayapp.cli.machine.paths import Layout
    from rayapp.cli.machine.supervision import Supervisor

    click.echo("stopped" if Supervisor(Layout(state)).stop_all() else "nothing is running")


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def status(state: str, as_json: bool) -> None:
    """Show health, components, versions, lag, freshness and restarts."""
    from rayapp.cli.status import show_status

    show_status(running_config(state), as_json)


@cli.group()
def data() -> None:
    """Data folders."""


@data.command("load")
@click.argument("folder", type=click.Path())
@click.pass_obj
def load(state: str, folder: str) -> None:
    """Send a data folder to the running system as stream data, in time order."""
    from rayapp.cli.load import load_folder

    load_folder(running_config(state), folder)


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--rate", type=click.FloatRange(min=0.001), help="Events per second; default: as fast as possible.")
@click.pass_obj
def replay(state: str, file: Path, rate: float | None) -> None:
    """Send a behaviour log (.jsonl or .parquet) to Kafka, marked origin=replay."""
    from rayapp.cli.load import replay_file

    replay_file(running_config(state), file, rate)


@cli.command()
@click.option("--users", type=click.IntRange(1), default=200, help="Number of users.")
@click.option("--rate", type=click.FloatRange(min=0.01), default=10.0, help="Feed requests per second.")
@click.option("--duration", type=click.FloatRange(min=1), default=120.0, help="Duration in seconds.")
@click.option("--seed", type=int, default=0, help="Seed of interests and clicks.")
@click.option("--bucket", type=click.FloatRange(min=1), default=30.0, help="Seconds per row of the table.")
@click.option("--out", type=click.Path(dir_okay=False), help="Write the result as JSON.")
@click.pass_obj
def simulate(
    state: str, *, users: int, rate: float, duration: float, seed: int, bucket: float, out: str | None
) -> None:
    """Let synthetic users browse, click and search over HTTP; prints click rates over time."""
    from rayapp.cli.simulate import run_simulation

    run_simulation(running_config(state), users=users, rate=rate, duration=duration, seed=seed, bucket=bucket, out=out)


@cli.group()
def model() -> None:
    """Manage model versions."""


@model.command("list")
@click.option("--name", default="redrec", help="Model name.")
@click.pass_obj
def list_models(state: str, name: str) -> None:
    """List versions with their metrics and the reason for any rejection."""
    from rayapp.cli.models import list_versions

    list_versions(running_config(state), name)


@model.command()
@click.argument("version", type=int, required=False)
@click.option("--name", default="redrec", help="Model name.")
@click.pass_obj
def rollback(state: str, version: int | None, name: str) -> None:
    """Serve an older version (default: the previous one) until `resume`."""
    from rayapp.cli.models import roll_back

    roll_back(running_config(state), name, version)


@model.command()
@click.option("--name", default="redrec", help="Model name.")
@click.pass_obj
def resume(state: str, name: str) -> None:
    """Serve the newest usable version again and let publishing move it."""
    from rayapp.cli.models import resume_publishing

    resume_publishing(running_config(state), name)


@cli.group()
def experiment() -> None:
    """Manage experiments on the running system."""


@experiment.command("create")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.pass_obj
def create_experiment(state: str, file: Path) -> None:
    """Start an experiment from a YAML or JSON file, or raise the coverage of a running one."""
    from rayapp.cli.experiments import create

    create(running_config(state), file)


@experiment.command("list")
@click.pass_obj
def list_experiments(state: str) -> None:
    """List all experiments, newest first."""
    from rayapp.cli.experiments import show_all

    show_all(running_config(state))


@experiment.command("report")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Also plot the lifts, as PNG or SVG.")
@click.pass_obj
def report_experiment(state: str, name: str, as_json: bool, plot: Path | None) -> None:
    """Show users, lifts and intervals so far."""
    from rayapp.cli.experiments import report

    report(running_config(state), name, as_json, plot)


@experiment.command("stop")
@click.argument("name")
@click.pass_obj
def stop_experiment(state: str, name: str) -> None:
    """Stop an experiment; its report remains available."""
    from rayapp.cli.experiments import stop

    stop(running_config(state), name)


@experiment.command("remove")
@click.argument("name")
@click.pass_obj
def remove_experiment(state: str, name: str) -> None:
    """Remove an ended experiment and its report."""
    from rayapp.cli.experiments import remove

    remove(running_config(state), name)


cli.add_command(configuration)


if __name__ == "__main__":
    cli()
