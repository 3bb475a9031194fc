"""Translation of notes, English and Chinese, both ways: BLEU and chrF++ as sacrebleu computes them (RedTrans-Bench)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from rayapp.llm.prompt import one_line
from rayapp.redone.tasks.example import Example
from rayapp.redone.tasks.task import Task

LANGUAGES = {"en": "English", "zh": "Chinese"}


class Translation(Task):
    """Mean of corpus BLEU (of Chinese by its characters, tokenizer `zh`) and chrF++."""

    family, metric, max_tokens = "translation", "mean of BLEU and chrF++", 96
    into: ClassVar[str]

    def judge(self, answer: str, example: Example) -> Any:
        return answer.strip(), example.answer

    def score(self, judged: Sequence[Any]) -> float:
        return sum(self.scores(judged)) / 2

    def scores(self, judged: Sequence[Any]) -> tuple[float, float]:
        """(BLEU, chrF++)."""
        import sacrebleu

        translations, references = [j[0] for j in judged], [[j[1] for j in judged]]
        tokenizer = "zh" if self.into == "zh" else "13a"
        bleu = sacrebleu.corpus_bleu(translations, references, tokenize=tokenizer).score
        return bleu, sacrebleu.corpus_chrf(translations, references, word_order=2).score

    def trivial(self, train: Sequence[Example], tests: Sequence[Example]) -> list[str]:
        """The text as it is, untranslated."""
        return [example.note for example in tests]

    def lexical(self, train: Sequence[Example], tests: Sequence[Example]) -> list[str]:
        """The translation of the most similar text of the training split (TF-IDF of characters)."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        if not train:
            return self.trivial(train, tests)
        letters = TfidfVectorizer(analyzer="char", ngram_range=(1, 3))
        known = letters.fit_transform(example.note for example in train)
        nearest = (letters.transform(example.note for example in tests) @ known.T).argmax(1)
        return [train[int(n)].answer for n in nearest.A1]


class ToChinese(Translation):
    name, into = "translation_en_zh", "zh"


class ToEnglish(Translation):
    name, into = "translation_zh_en", "en"


def translation(text: str, reference: str, into: str, source: str) -> Example:
    """`into`: en or zh."""
    instruction = f"Translate the note into {LANGUAGES[into]}."
    name = {"zh": ToChinese.name, "en": ToEnglish.name}[into]
    question = f"{instruction}\nNote: {one_line(text)}"
    return Example(name, question, one_line(reference), note=one_line(text), source=source, instruction=instruction)
