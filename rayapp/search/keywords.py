"""BM25 over the words of items (Robertson and Zaragoza 2009), in memory, that grows and shrinks: tantivy.

Words are lower-cased, without accents and stemmed for English. Scripts without
spaces between words are indexed by pairs of characters as well.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Collection, Mapping

import tantivy

ID, WORDS, PAIRS = "item_id", "words", "pairs"
# Han, kana, hangul, Thai: what stands together there is rarely one word.
UNSPACED = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]+")
HEAP = 15_000_000  # the least that tantivy takes
MAX_TERMS = 64  # of a query; more say nothing and cost time


def _words() -> tantivy.TextAnalyzer:
    filters = (tantivy.Filter.remove_long(60), tantivy.Filter.lowercase(), tantivy.Filter.ascii_fold())
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    for one in (*filters, tantivy.Filter.stemmer("English")):
        builder = builder.filter(one)
    return builder.build()


def _pairs() -> tantivy.TextAnalyzer:
    return tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.ngram(1, 2, False)).build()


class KeywordIndex:
    """Items by id and text. Thread-safe."""

    def __init__(self) -> None:
        builder = tantivy.SchemaBuilder()
        builder.add_text_field(ID, stored=True, tokenizer_name="raw")
        builder.add_text_field(WORDS, tokenizer_name=WORDS)
        builder.add_text_field(PAIRS, tokenizer_name=PAIRS)
        self.schema = builder.build()
        self.index = tantivy.Index(self.schema)
        self.analyzers = {WORDS: _words(), PAIRS: _pairs()}
        for name, analyzer in self.analyzers.items():
            self.index.register_tokenizer(name, analyzer)
        self.writer = self.index.writer(HEAP, num_threads=1)
        self.lock = threading.Lock()

    def __len__(self) -> int:
        return int(self.index.searcher().num_docs)

    def change(self, put: Mapping[str, str], remove: Collection[str] = ()) -> None:
        """Add or replace texts by id, and take items out, as one step; unknown ids are ignored."""
        with self.lock:
            for item_id in (*put, *remove):
                self.writer.delete_documents_by_term(ID, item_id)
            for item_id, text in put.items():
                pairs = " ".join(UNSPACED.findall(text))
                self.writer.add_document(tantivy.Document(**{ID: item_id, WORDS: text, PAIRS: pairs}))
            self.writer.commit()
            self.index.reload()

    def search(self, terms: Mapping[str, float], k: int, excluded: Collection[str] = ()) -> list[tuple[str, float]]:
        """The k best (id, BM25) that share a word with any of the texts, best first; each text has its weight."""
        query = self._query(terms)
        searcher = self.index.searcher()
        if query is None or k < 1:
            return []
        # tantivy counts before it excludes, so as many more are asked for as may have to go.
        limit = k
        while True:
            hits = searcher.search(query, limit, count=False).hits
            found = [(str(searcher.doc(address)[ID][0]), float(score)) for score, address in hits]
            kept = [pair for pair in found if pair[0] not in excluded]
            if len(kept) >= k or len(hits) < limit:
                return kept[:k]
            limit *= 4

    def _query(self, terms: Mapping[str, float]) -> tantivy.Query | None:
        """Any of the words; built from tokens, so nothing in a text is query syntax."""
        weights: dict[tuple[str, str], float] = {}
        for text, weight in terms.items():
            tokens = [(WORDS, token) for token in self.analyzers[WORDS].analyze(text)]
            for run in UNSPACED.findall(text):
                tokens += [(PAIRS, token) for token in self.analyzers[PAIRS].analyze(run)]
            for token in tokens:
                weights[token] = max(weight, weights.get(token, 0.0))
        parts = [
            (
                tantivy.Occur.Should,
                tantivy.Query.boost_query(tantivy.Query.term_query(self.schema, field, token), weight),
            )
            for (field, token), weight in list(weights.items())[:MAX_TERMS]
        ]
        return tantivy.Query.boolean_query(parts) if parts else None
