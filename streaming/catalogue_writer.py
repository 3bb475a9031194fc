"""From the items topic to the item store: texts are encoded once, here, and replicas follow the change stream."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

import msgspec
import numpy as np
from confluent_kafka import Message

from rayapp.content.image_encoder import ImageError, below
from rayapp.content.item_encoder import ItemEncoder, content_key
from rayapp.domain import Item
from rayapp.metrics import Metrics
from rayapp.stores.backend import StoreBackend
from rayapp.stores.records import Urgency
from rayapp.validation import InvalidRecord, columns_without_text, decode_object, parse_item
from streaming.consumer import append_ms
from streaming.dead_letters import Bad, DeadLetters
from streaming.records import guarded, is_bulk

GROUP = "rayapp-catalogue"
ENCODE_AT_ONCE = 64
MAX_LEFT_OUT = 100
log = logging.getLogger(__name__)


class CatalogueApplier:
    """Applies item records in log order; an empty value deletes (the topic is compacted)."""

    def __init__(
        self,
        store: StoreBackend,
        dead: DeadLetters,
        metrics: Metrics,
        *,
        encoder: str,
        images: str,
        known_content: Callable[[], dict[str, np.ndarray]],
        decoder_folder: Callable[[str], str] = str,
    ) -> None:
        """`encoder`, `decoder_folder`: see ItemEncoder. `images`: the folder or URL below which pictures are read.
        `known_content`: vectors by content key."""
        self.name = encoder
        self.writer = store.catalogue_store()
        self.dead = dead
        self.metrics = metrics
        self.known_content = known_content
        self.known: dict[str, np.ndarray] | None = None
        self.images = images
        self.decoder_folder = decoder_folder
        self.encoder: ItemEncoder | None = None
        self.left_out: set[str] = set()  # columns that hold no text, each said once

    def warm(self) -> None:
        """Load what the first note would otherwise wait for."""
        self.known = self.known_content()
        self.encoder = ItemEncoder(self.name, self.decoder_folder)
        self.encoder.encode(["warm up"])

    def __call__(self, messages: list[Message]) -> None:
        pending: dict[str, Item] = {}
        urgency: dict[str, Urgency] = {}
        bad: list[Bad] = []
        for message in messages:
            try:
                key = (message.key() or b"").decode()
            except UnicodeDecodeError:
                bad.append((message, InvalidRecord("bad_key", "the key is not UTF-8; send the item_id as key")))
                continue
            if message.value() is None:
                self._put(list(pending.values()), urgency)
                pending = {}
                if key:
                    self.writer.delete(key)
                continue
            at = append_ms(message)
            try:
                item = guarded(partial(self._item, message.value(), at))
            except InvalidRecord as error:
                bad.append((message, error))
                continue
            if item.timestamp_ms is None:  # when a note came is what "fresh" goes by
                item = msgspec.structs.replace(item, timestamp_ms=at)
            pending.pop(item.item_id, None)
            pending[item.item_id] = item
            urgency[item.item_id] = Urgency.BULK if is_bulk(message) else Urgency.NOW
        self._put(list(pending.values()), urgency)
        if bad:
            self.dead.send(bad)

    def _item(self, value: bytes | None, at_ms: int) -> Item:
        raw = decode_object(value)
        for column in columns_without_text(raw):
            if column not in self.left_out and len(self.left_out) < MAX_LEFT_OUT:
                self.left_out.add(column)
                log.warning("items: column %r holds no text and is left out", column)
        return parse_item(raw, at_ms)

    def _put(self, items: list[Item], urgency: dict[str, Urgency]) -> None:
        new = [item for item, known in zip(items, self.writer.known(items), strict=True) if not known]
        for start in range(0, len(new), ENCODE_AT_ONCE * 16):
            part = new[start : start + ENCODE_AT_ONCE * 16]
            self.writer.put(part, self._contents(part), urgency)

    def _contents(self, items: list[Item]) -> np.ndarray:
        """Content vectors [N, E]: from the model's item table where the text is the same, else encoded."""
        if self.known is None or self.encoder is None:
            self.warm()
        assert self.known is not None
        assert self.encoder is not None
        if self.encoder.image is not None:
            items = [self._with_picture(item) for item in items]
        keys = [content_key(self.name, item) for item in items]
        missing = [i for i, key in enumerate(keys) if key not in self.known]
        if missing:
            vectors = self.encoder.encode_items([items[i] for i in missing], batch_size=ENCODE_AT_ONCE)
            for said in self.encoder.unreadable:
                log.warning("%s", said)
            fresh = {keys[i]: vectors[n] for n, i in enumerate(missing)}
        else:
            fresh = {}
        return np.stack([fresh[key] if key in fresh else self.known[key] for key in keys])

    def _with_picture(self, item: Item) -> Item:
        """Its picture where it may be read: what clients name is not opened wherever it is."""
        if item.image is None:
            return item
        try:
            return msgspec.structs.replace(item, image=below(self.images, item.image))
        except ImageError as error:
            log.warning("item %s: %s", item.item_id, error)
            return msgspec.structs.replace(item, image=None)
