"""The post-view queue's worker: RedOne writes queries, the policy filters them, the store keeps them."""

from __future__ import annotations

from rayapp.domain import Decision
from rayapp.llm.language_model import LanguageModel
from rayapp.llm.work_queue import Allowance, Batch
from rayapp.moderation.judge import Judge, Note
from rayapp.search.post_view import FORM, MAX_TOKENS, PostViewPrompt, queries_of
from rayapp.stores.backend import StoreBackend
from rayapp.stores.records import PostView, StoredItem, Urgency, Wanted

HIDDEN = (Decision.BLOCK, Decision.HOLD)


class PostViewWorker:
    """One note at a time. New notes are judged first: a verdict matters more than queries."""

    name = "post-view queries"

    def __init__(self, store: StoreBackend, model: LanguageModel, judge: Judge) -> None:
        self.reader = store.catalogue()
        self.queue = store.post_views()
        self.moderation = store.moderation_queue()
        self.model = model
        self.judge = judge
        self.prompt = PostViewPrompt(model.tokenizer)
        self._begun = False

    def claim(self, allowed: Allowance) -> Batch[Wanted] | None:
        """A client's request first; else, where allowed, a new note, unless a note waits to be judged."""
        if not self._begun:
            self.queue.begin(self.model.version)
            self._begun = True
        wanted = self.queue.next()
        if wanted is None:
            return None
        if not wanted.requested and (allowed is Allowance.URGENT or self._notes_wait()):
            return None
        return Batch([wanted], wanted.requested)

    def work(self, batch: Batch[Wanted]) -> int:
        """Raises ModelAway."""
        for wanted in batch.work:
            self.queue.put(wanted.item_id, self._made(self.reader.fetch([wanted.item_id])[0]))
        return len(batch.work)

    def give_up(self, entry: Wanted, error: Exception) -> None:
        """It has no queries until a client asks again."""
        self.queue.put(entry.item_id, None)

    def _notes_wait(self) -> bool:
        return any(queued.urgency is Urgency.NOW for queued in self.moderation.next(1))

    def _made(self, stored: StoredItem) -> PostView | None:
        """The note's queries; None when it does not exist or is shown to nobody."""
        item = stored.item
        if item is None or (stored.verdict is not None and stored.verdict.decision in HIDDEN):
            return None
        if not item.text:
            return PostView(item.text_key, self.model.version)
        answer = self.model.answers.write(self.prompt.ids(item.text), FORM, MAX_TOKENS)
        return PostView(item.text_key, self.model.version, self._allowed(queries_of(answer, item.title)))

    def _allowed(self, queries: list[str]) -> tuple[str, ...]:
        """Those that the policy would allow as a note."""
        verdicts = self.judge.verdicts([Note(str(n), query) for n, query in enumerate(queries)])
        return tuple(q for q, v in zip(queries, verdicts, strict=True) if v.decision is Decision.ALLOW)
