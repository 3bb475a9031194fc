"""Working the post-view queue off: RedOne writes queries, the policy reads them, the store keeps them."""

from __future__ import annotations

import threading
import time

from rayapp.config import Config
from rayapp.content.text_encoder import text_key
from rayapp.domain import Decision
from rayapp.llm.completions import ModelAway
from rayapp.llm.language_model import LanguageModel
from rayapp.moderation.judge import Judge, Note
from rayapp.search.post_view import FORM, MAX_TOKENS, PostViewPrompt, queries_of
from rayapp.stores.backend import StoreBackend
from rayapp.stores.ports import StoreUnreachable
from rayapp.stores.records import PostView, StoredItem, Urgency
from rayapp.terminal import console

IDLE_S = 0.2
RETRY_S = 2.0
HIDDEN = (Decision.BLOCK, Decision.HOLD)


class PostViewQueue:
    """Beside the moderation queue, which goes first: a note that nobody judged yet matters more than its queries."""

    def __init__(self, config: Config, store: StoreBackend, model: LanguageModel, judge: Judge) -> None:
        self.config = config
        self.reader = store.catalogue()
        self.queue = store.post_views()
        self.moderation = store.moderation_queue()
        self.model = model
        self.judge = judge
        self.prompt = PostViewPrompt(model.tokenizer)
        self.rest_until = 0.0  # nothing that nobody waits for before this moment

    def run(self, stop: threading.Event) -> None:
        """Until `stop`; a model or store that is away is waited for."""
        begun = False
        while not stop.is_set():
            try:
                if not begun:
                    self.queue.begin(self.model.version)
                    begun = True
                if not self.step():
                    stop.wait(IDLE_S)
            except (ModelAway, StoreUnreachable):
                stop.wait(RETRY_S)
            except Exception as error:  # one note's trouble is not the others'
                console.print(f"post-view queries: {error!r}")
                stop.wait(RETRY_S)

    def step(self) -> bool:
        """One note; False when there is nothing to do now. Raises ModelAway."""
        wanted = self.queue.next()
        if wanted is None or (not wanted.requested and self._later()):
            return False
        started = time.monotonic()
        stored = self.reader.fetch([wanted.item_id])[0]
        self.queue.put(wanted.item_id, self._made(stored))
        if not wanted.requested:
            self.rest_until = time.monotonic() + (time.monotonic() - started) * (1 / self.config.llm.backlog_share - 1)
        return True

    def _later(self) -> bool:
        """What nobody asked for leaves the model to others most of the time, and to new notes all of it."""
        if time.monotonic() < self.rest_until:
            return True
        return any(queued.urgency is Urgency.NOW for queued in self.moderation.next(1))

    def _made(self, stored: StoredItem) -> PostView | None:
        """None: there is no such note, or nobody sees it."""
        item = stored.item
        if item is None or (stored.verdict is not None and stored.verdict.decision in HIDDEN):
            return None
        key = text_key("", item.text)
        if not item.text:
            return PostView(key, self.model.version)
        answer = self.model.answers.write(self.prompt.ids(item.text), FORM, MAX_TOKENS)
        return PostView(key, self.model.version, self._safe(queries_of(answer, item.title)))

    def _safe(self, queries: list[str]) -> tuple[str, ...]:
        """What the policy would let a note say."""
        verdicts = self.judge.verdicts([Note(str(n), query) for n, query in enumerate(queries)])
        return tuple(q for q, v in zip(queries, verdicts, strict=True) if v.decision is Decision.ALLOW)
