"""An embedded broker that is killed and has lost the end of its log, as after a crash between two saves."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from rayapp.cli.machine.embedded import broker_command
from rayapp.config import Config, Kafka, Ports
from streaming.reading import consumer_for, watermarks
from streaming.topics import ensure_topics
from tests.conftest import free_ports


class KilledBroker:
    """A broker of this test's own, which can lose what came after its last save."""

    def __init__(self, folder: Path) -> None:
        (port,) = free_ports(1)
        self.config = Config(state=str(folder), ports=Ports(kafka=port), kafka=Kafka(partitions=2, timeout_s=3))
        self.data, self.saved = folder / "kafka", folder / "saved"
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            broker_command(self.config), stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
        )
        ensure_topics(self.config.broker)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=20)

    def save(self) -> None:
        self.stop()
        shutil.copytree(self.data, self.saved)
        self.start()

    def lose_the_end(self) -> None:
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.data)
        shutil.copytree(self.saved, self.data)
        self.start()

    def records(self) -> int:
        consumer = consumer_for(self.config.broker)
        try:
            return sum(high - low for low, high in watermarks(consumer, self.config.topic("behaviour")).values())
        finally:
            consumer.close()
