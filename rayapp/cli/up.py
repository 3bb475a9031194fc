"""`rayapp up`: preflight, parts, data, first model, serving, in this order; steps already done are skipped."""

from __future__ import annotations

import hashlib
import hmac
import importlib.util
import os
import time
from pathlib import Path

import msgspec
from click import echo as say

from rayapp import env
from rayapp.cli.first_model import first_model
from rayapp.cli.load import Bar
from rayapp.cli.machine.paths import UMASK, Layout
from rayapp.cli.machine.preflight import machine_problems, problems
from rayapp.cli.machine.prometheus import port_conflict
from rayapp.cli.machine.supervision import SupervisionError, Supervisor, write_supervisor_config
from rayapp.cli.machine.waiting import wait_caught_up, wait_for_ray, wait_judged, wait_language_model, wait_ready
from rayapp.config import Config, check, check_host, load_config, save_config, with_data_scenarios
from rayapp.data.folder import DataFolder, bootstrap_events
from rayapp.data.sample_world import write_sample_world
from rayapp.llm.base_model import model_folder
from rayapp.moderation.policy import load_policy
from rayapp.secrets import hidden_in_url
from rayapp.stores.open import open_store
from streaming.producer import EventProducer
from streaming.reading import consumer_for, watermarks
from streaming.replay import send_events, send_items
from streaming.topics import ensure_topics, wait_for_broker


def run_up(
    state: str,
    *,
    data: str | None,
    config_file: str | None,
    port: int | None,
    kafka: str | None,
    store: str | None,
    llm: bool | None,
    detach: bool,
) -> None:
    started = time.monotonic()
    os.umask(UMASK)
    layout = Layout(state)
    config = effective_config(layout, config_file=config_file, port=port, kafka=kafka, store=store, llm=llm)
    supervisor = Supervisor(layout)
    given = DataFolder(data) if data else None
    if given is not None:  # read before anything is made: a wrong folder leaves nothing behind
        config = for_data(config, given)
    layout.make()
    folder = given or DataFolder(remembered_data(layout))
    config = for_data(config, folder)
    if supervisor.running() and (changed := difference(config, layout)):
        say(f"{changed} changed: stopping the running system")
        supervisor.stop_all()
    elif not supervisor.running() and supervisor.stop_all():
        say("ended processes left behind by an earlier start")
    obstacles = machine_problems(layout.state) if supervisor.running() else problems(config)
    if obstacles:
        raise SupervisionError("\n".join(["preflight found:", *(f"  - {p}" for p in obstacles)]))
    save_config(config, layout.config)
    os.environ.update(layout.environment())
    layout.write(layout.keys, {"digest": keys_digest(layout)})
    say(f"starting in {layout.state} (logs: {layout.logs})")
    write_supervisor_config(config, layout)
    supervisor.launch()
    for part in ("broker", "store", "ray"):
        supervisor.start(part)
    wait_for_broker(config.broker, 60)
    open_store(config.store_url, wait_s=60)
    ensure_topics(config.broker)
    say(f"broker {config.bootstrap}, store {hidden_in_url(config.store_url)}")
    wait_for_ray(config, layout)
    offsets = load_data(config, layout, folder)
    first_model(config, layout, folder, offsets)
    language_model(config)
    layout.write(layout.system, {"data": str(folder.path.resolve()), "digest": folder.digest()})
    supervisor.start("control")
    if problem := port_conflict(config, supervisor.states()):
        say(problem)
    else:
        supervisor.start("prometheus")
    url = wait_ready(config, layout)
    wait_caught_up(config)
    wait_judged(config)
    wait_language_model(config, url)
    say(f"ready after {time.monotonic() - started:.0f} s")
    print_urls(config, layout, url, supervisor.states().get("prometheus") == "RUNNING")
    if not detach:
        stay(supervisor)


def effective_config(
    layout: Layout, *, config_file: str | None, port: int | None, kafka: str | None, store: str | None, llm: bool | None
) -> Config:
    """The given file, or the configuration of the last start, with the options on top. Raises ConfigError."""
    config = load_config(layout.config) if config_file is None and layout.config.is_file() else load_config(config_file)
    config = msgspec.structs.replace(config, state=str(layout.state))
    if port is not None:
        config = msgspec.structs.replace(config, ports=msgspec.structs.replace(config.ports, http=port))
    if kafka is not None:
        config = msgspec.structs.replace(config, kafka=msgspec.structs.replace(config.kafka, bootstrap=kafka))
    if store is not None:
        config = msgspec.structs.replace(config, store=msgspec.structs.replace(config.store, url=store))
    if llm is not None:
        config = msgspec.structs.replace(config, llm=msgspec.structs.replace(config.llm, enabled=llm))
    check_host(config.host, config.api_keys, "serving.host")
    return check(config, "the configuration with its options")


def for_data(config: Config, folder: DataFolder) -> Config:
    """With the folder's scenarios. Raises ConfigError, DataFolderError."""
    config = with_data_scenarios(config, folder.interactions()["scenario"].unique().to_pylist())
    return check(config, f"the scenarios of {folder.path}")


def difference(config: Config, layout: Layout) -> str:
    """What the running system was started without: this configuration, or these keys; empty for neither."""
    if layout.config.is_file() and load_config(layout.config) != config:
        return "the configuration"
    if layout.read(layout.keys).get("digest") != keys_digest(layout):
        return "the API keys"
    return ""


def keys_digest(layout: Layout) -> str:
    """Of the keys in the environment; keyed, so that a guessed key cannot be checked against the file alone."""
    keys = env.read()
    text = "\n".join([*keys.api_keys, keys.llm_key])
    return hmac.new(layout.ray_token().encode(), text.encode(), hashlib.sha256).hexdigest()


def remembered_data(layout: Layout) -> Path:
    """The folder of the last start; at the first start the sample world, generated once."""
    last = layout.read(layout.system).get("data")
    if last and Path(last).is_dir():
        return Path(last)
    say("no --data: generating the sample world")
    return write_sample_world(layout.state / "sample")


def load_data(config: Config, layout: Layout, folder: DataFolder) -> dict[str, dict[str, int]]:
    """Send the folder once; returns the end of the log after it: {topic: {partition: next offset}}."""
    record = layout.sent / f"{folder.digest()}.json"
    sent = layout.read(record)
    if not sent:
        say(f"loading {folder.path}")
        producer = EventProducer(config.broker, linger_ms=20, timeout_s=60)
        items = folder.items()
        for notice in folder.notices:
            say(f"  {notice}")
        with Bar("items", len(items)) as bar:
            send_items(producer, items, topic=config.topic("items"), progress=bar)
        total = folder.interactions().num_rows
        with Bar("events", total) as bar:
            events = bootstrap_events(folder)
            send_events(producer, events, topic=config.topic("behaviour"), origin="bootstrap", progress=bar)
        producer.close()
        consumer = consumer_for(config.broker)
        topic = config.topic("behaviour")
        ends = {str(p): high for p, (_, high) in watermarks(consumer, topic).items()}
        consumer.close()
        sent = {"folder": str(folder.path.resolve()), "offsets": {topic: ends}, "events": total}
        layout.write(record, sent)
    return sent["offsets"]


def language_model(config: Config) -> None:
    """Check policy and model before they are deployed; the packaged model is unpacked once."""
    load_policy(config.llm.policy or None)
    if not config.llm.enabled:
        return
    if not config.llm.url:
        if importlib.util.find_spec("vllm") is None:
            raise SupervisionError(
                "vLLM is not installed, and the language model needs it; install rayapp with its cpu or gpu extra "
                "(make setup), set `llm: {url: …}` to an external server, or start with --no-llm"
            )
        say(f"language model {config.llm.model}")
        model_folder(config.llm.model, config.llm_cache)


def print_urls(config: Config, layout: Layout, url: str, prometheus: bool) -> None:
    say(f"  console    {url}/")
    say(f"  feed       {url}/v1/feed?user_id=YOU")
    say(f"  API        {url}/docs")
    if config.llm.enabled:
        say(f"  RedOne     {hidden_in_url(config.llm_url)}   (OpenAI protocol, model {config.llm.name})")
    say(f"  metrics    {url}/metrics")
    if prometheus:
        say(f"  prometheus http://127.0.0.1:{config.ports.prometheus}")
    say(f"  dashboard  http://127.0.0.1:{config.ports.dashboard}   its token is in {layout.token}")
    say(f"  kafka      {config.bootstrap}")
    say("  stop with  rayapp down (or make down)")


def stay(supervisor: Supervisor) -> None:
    """Foreground: Ctrl-C stops everything."""
    say("running; Ctrl-C stops everything")
    try:
        while supervisor.running():
            time.sleep(1)
    except KeyboardInterrupt:
        say("stopping")
        supervisor.stop_all()
