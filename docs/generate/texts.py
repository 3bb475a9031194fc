"""The pages made of one list or one Struct each: topics, metrics, records, YAML files, configuration, commands."""

from __future__ import annotations

import msgspec

from docs.generate import sources
from docs.generate.commands import command_section, walk
from docs.generate.descriptions import described
from docs.generate.markdown import bullet, code, page, paragraph, table
from docs.generate.struct_page import struct_tables

DAY_MS = 86_400_000


def configuration_page() -> str:
    return page(
        "Configuration",
        paragraph(
            "One YAML file, given as `rayapp up --config FILE` and to every job as `--config FILE`. What the file leaves "
            "out keeps its default; a key that does not exist is refused. `rayapp up` writes the configuration in force, "
            "defaults included, to `config.yaml` in the state folder."
        ),
        *struct_tables(sources.config_type(), "configuration"),
    )


def cli_page() -> str:
    group = sources.command_line()
    parts = [part for name, command in walk(group, "rayapp") for part in command_section(name, command)]
    shared = [f"`{' '.join(p.opts)}`: {getattr(p, 'help', '')}" for p in group.params if p.name != "version"]
    return page(
        "Command line",
        paragraph("Options of `rayapp` itself come before the command, as in `rayapp --state FOLDER status`:"),
        "\n".join(bullet(text) for text in shared),
        *parts,
    )


def jobs_page() -> str:
    parts = []
    for name, command in sources.job_commands().items():
        parts += command_section(f"python -m jobs.{name}", command)
    return page(
        "Jobs",
        paragraph(
            "Each job runs by hand, or on a cluster with `ray job submit --working-dir . -- python -m jobs.NAME …`. A "
            "running system asks for its token: set `RAY_AUTH_MODE=token RAY_AUTH_TOKEN=$(cat .rayapp/ray_token)`. Every "
            "job takes `--config` (a configuration file) and `--out` (write the result as JSON), and ends with one line "
            "and a non-zero exit code when its input cannot be used."
        ),
        *parts,
    )


def records_page(kind: str, title: str, text: str) -> str:
    struct = sources.records()[kind]
    parts = struct_tables(struct, kind.lower())
    return page(title, paragraph(text), *parts)


def events_page() -> str:
    forget = struct_tables(sources.records()["Forget"], "forget", "###")
    return page(
        "Event",
        paragraph(
            "One record of behaviour, as JSON in UTF-8: an element of `events` in `POST /v1/events`, and the value of a "
            "record of the behaviour topic with the user's id as key. A client must send `user_id`, `scenario`, `action` "
            "and `item_id` (or `query` for a search); the gateway and the readers of the topic fill in the rest. "
            "[Events and scenarios](../concepts/events-and-scenarios.md) explains their meaning."
        ),
        paragraph(f"Actions: {', '.join(code(a) for a in sources.actions())}."),
        *struct_tables(sources.records()["Event"], "event"),
        "## Forget record",
        paragraph("`DELETE /v1/users/{id}` writes this to the user's partition: everything before it is forgotten."),
        *forget[1:],
    )


def items_page() -> str:
    return records_page(
        "Item",
        "Item",
        "One note or ad of the catalogue: an element of `items` in `PUT /v1/items`, a row of `items.parquet`, and the "
        "value of a record of the items topic with the item's id as key. A column that is not listed here is kept as "
        "text in `extra`; `timestamp` in seconds is accepted in place of `timestamp_ms`.",
    )


def verdicts_page() -> str:
    return records_page(
        "Verdict",
        "Verdict",
        "What the moderation policy or a person decided about one note: the value of a record of the verdicts topic, "
        "and part of `GET /v1/items/{id}`. [Moderation](../concepts/moderation.md) explains the decisions.",
    )


def topics_page() -> str:
    rows = []
    for spec in sources.topics():
        settings = ", ".join(f"{key}={value}" for key, value in sorted((spec.config or {}).items()))
        name = spec.topic.partition(".")[2]
        rows.append((code(spec.topic), spec.num_partitions, settings, described("topics", name)))
    return page(
        "Topics",
        paragraph(
            "Kafka topics, created at the start where they are missing; existing topics are left as they are. `kafka: "
            "{prefix: …}` changes the first part of the names, `kafka: {partitions: …}` the partitions of the first two. "
            "Values are JSON in UTF-8, so any Kafka client can produce and read them."
        ),
        table(("Topic", "Partitions", "Settings", "Content"), rows),
        paragraph(f"{30 * DAY_MS} ms are 30 days."),
    )


def metrics_page() -> str:
    rows = [
        (code(name), s.kind, ", ".join(code(tag) for tag in s.tags), described("metrics", name) or s.help)
        for name, s in sources.series().items()
    ]
    buckets = [
        bullet(f"`{name}`: {', '.join(f'{b:g}' for b in s.buckets)}")
        for name, s in sources.series().items()
        if s.buckets
    ]
    return page(
        "Metrics",
        paragraph(
            "Series of `GET /metrics`, from every node, as Prometheus text. Ray's own exporter shows the same series "
            "with `ray_` in front. [Monitoring](../operate/monitoring.md) has the alerts and dashboards."
        ),
        table(("Series", "Kind", "Labels", "Meaning"), rows),
        "Buckets of the histograms, in seconds:",
        "\n".join(buckets),
    )


def yaml_page(title: str, text: str, struct: type[msgspec.Struct], key: str, *more: str) -> str:
    return page(title, paragraph(text), *more, *struct_tables(struct, key))


def experiment_page() -> str:
    counts, latencies = sources.experiment_counts()
    return yaml_page(
        "Experiment file",
        "YAML (or the same as JSON) for `rayapp experiment create FILE` and `POST /v1/experiments`. "
        "[Experiments](../concepts/experiments.md) explains layers, namespaces and arms.",
        sources.experiment_type(),
        "experiment",
        paragraph(f"A metric counts one of {', '.join(code(c) for c in counts)}."),
        paragraph(f"A guardrail names one of {', '.join(code(name) for name in latencies)} or a metric of the file."),
        paragraph(f"Packaged: {', '.join(code(f) for f in sources.packaged('serve_configs/experiments/*.yaml'))}."),
    )


def policy_page() -> str:
    return yaml_page(
        "Moderation policy",
        "YAML for `llm: {policy: FILE}` and, by name, for `llm: {policies: {NAME: FILE}}`. "
        "[Write a moderation policy](../tutorials/04-moderation-policy.md) has an example.",
        sources.policy_type(),
        "policy",
    )


def training_page() -> str:
    return yaml_page(
        "Training settings",
        "YAML for `--train-config FILE` of `jobs.train_redrec` and `training: {config: FILE}` of the configuration; the "
        "name of a packaged file works too.",
        sources.training_type(),
        "training",
        paragraph(f"Packaged: {', '.join(code(f) for f in _configs() if 'redone' not in f)}."),
    )


def recipe_page() -> str:
    return yaml_page(
        "RedOne recipe",
        "YAML for `--recipe FILE` of the post-training jobs. [Train RedOne](../tutorials/06-train-redone.md) runs all "
        "stages.",
        sources.recipe_type(),
        "recipe",
        paragraph(f"Packaged: {', '.join(code(f) for f in _configs() if 'redone' in f)}."),
    )


def _configs() -> list[str]:
    return sources.packaged("jobs/configs/*.yaml")
