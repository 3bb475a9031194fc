"""Verdicts in the store.

A verdict goes into the catalogue's change stream, so replicas follow it like
any other change of an item. Storing a verdict and removing its note from the
queue are one script: a kill in between judges no note twice and loses none.
"""

from __future__ import annotations

import importlib.resources

import msgspec

from rayapp.domain import Verdict, encode
from rayapp.stores import ports
from rayapp.stores.records import Queued
from rayapp.stores.valkey.change_stream import CHANGES, KEEP_CHANGES
from rayapp.stores.valkey.commands import Client
from rayapp.stores.valkey.errors import surfaced
from rayapp.stores.valkey.moderation_queue import QUEUE
from rayapp.stores.valkey.stored import readable

VERDICTS = "verdicts"
AUDIT = "verdict_audit"
SCRIPT = importlib.resources.files("rayapp.stores.valkey").joinpath("verdict.lua").read_text()
decoder = msgspec.json.Decoder(Verdict)


@surfaced
class VerdictStore(ports.VerdictStore):
    """See ports.VerdictStore."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.script = client.register_script(SCRIPT)

    def get(self, item_ids: list[str]) -> list[Verdict | None]:
        if not item_ids:
            return []
        stored = zip(item_ids, self.client.hmget(VERDICTS, item_ids), strict=True)
        return [readable(decoder, raw, f"verdict of item {i!r}") if raw else None for i, raw in stored]

    def put(self, verdict: Verdict, queued: Queued | None = None) -> bool:
        arguments = [verdict.item_id, encode(verdict), verdict.outcome, verdict.text_key]
        arguments += [queued.ticket if queued else "", KEEP_CHANGES]
        return bool(self.script(keys=[VERDICTS, QUEUE, CHANGES, AUDIT], args=arguments))

    def audit(self, item_id: str) -> list[Verdict]:
        stored = (
            readable(decoder, fields.get(b"verdict", b""), f"audit {n.decode()}")
            for n, fields in self.client.xrange(AUDIT)
        )
        return [verdict for verdict in stored if verdict is not None and verdict.item_id == item_id]
