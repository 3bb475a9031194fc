"""Paraphrases of task instructions: a model trained on one wording learns the wording, not the task.

Training samples among the wordings here (`reword` of a recipe); one wording per task is
held out and measures generalisation to other instructions (`evaluate_redone --wording
unseen`), as in the official benchmark. After Wei et al. 2022 (FLAN, section 2.1).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from rayapp.redone.tasks.example import Example


class Wordings(NamedTuple):
    """`trained`: a pattern of the task's instruction, whose groups fill the others; `unseen`: held out from
    training."""

    trained: str
    others: tuple[str, ...]
    unseen: str


NONE = " If there is none, answer []."
WORDINGS: dict[str, Wordings] = {
    "taxonomy_single": Wordings(
        r"Which category is (?P<about>.+) of this note\? Categories: (?P<options>.+)\.",
        (
            "Classify the text below by {about}. Choose exactly one of: {options}.",
            "You are given a post of a social network. Pick {about} from [{options}] and answer with that alone.",
            "Candidates: {options}\nTask: which candidate describes {about} of the post?",
        ),
        "Please read the content and select the most suitable category for {about}. Candidate categories: {options}",
    ),
    "taxonomy_multiple": Wordings(
        r"Which category is this note in\? Answer with one of these lines: primary \| secondary \| tertiary\.",
        (
            "Choose the path of categories, primary | secondary | tertiary, that fits the post. Candidates:",
            "Classify the text on three levels. Give one of the following lines exactly as it is:",
            "Of which of these categories is the post? Copy the right line.",
        ),
        "Please select the most suitable primary, secondary and tertiary category of the content from the candidates:",
    ),
    "hashtag_single": Wordings(
        r"Which hashtag did the author give this note\? Hashtags: (?P<options>.+)\.",
        (
            "Choose the hashtag that belongs to the post. Options: {options}.",
            "Candidate hashtags: {options}\nWhich one fits the text best? Answer with the hashtag alone.",
            "A user wrote the post below. Which of these tags would the user add: {options}?",
        ),
        "Please select the most relevant topic tag for the content from the candidates: {options}",
    ),
    "hashtag_multiple": Wordings(
        r"Which hashtags did the author give this note\? Name all that fit\. Hashtags: (?P<options>.+)\.",
        (
            "Choose all hashtags that belong to the post, separated by semicolons. Options: {options}.",
            "Candidate hashtags: {options}\nWhich ones fit the text? List every one of them with ; between them.",
            "A user wrote the post below. Which of these tags, several of them, would the user add: {options}?",
        ),
        "Please select all topic tags relevant to the content from the candidates, joined by semicolons: {options}",
    ),
    "query_corr_explain": Wordings(
        r"Does the note answer the query\? Answer Yes or No\.",
        (
            "Is the post a relevant result for what the user searched? Reply Yes or No.",
            "Judge whether the text satisfies the search. Yes or No?",
            "A user searched and got this post. Does it help with the search? Yes/No",
        ),
        "Please judge whether the query and the content are related. Output Yes if they are, otherwise No.",
    ),
    "query_corr_topic": Wordings(
        r"How closely does the note match the query\? Grades: (?P<grades>.+); (?P<best>\S+) is a perfect match, "
        r"(?P<worst>\S+) none\.",
        (
            "Grade how relevant the post is to the search, from {worst} (not at all) to {best} (exactly): {grades}.",
            "Choose one of {grades} for the match of search and text; {best} is the best, {worst} the worst.",
            "How relevant is the result? Possible scores: {grades} ({worst}: unrelated, {best}: full match).",
        ),
        "Please score the topical correlation of query and content. Scores: {grades}, where {best} is the highest and "
        "{worst} means irrelevant. Output the score only.",
    ),
    "mrc_simple": Wordings(
        r"Copy the sentences of the note that answer the question, or write \[\] if none does\.",
        (
            "Find the answer to the question in the text and quote its sentences word for word." + NONE,
            "Which sentences of the post answer the question? Repeat them as they are, or say [].",
            "Answer the question with sentences taken from the post. Write [] where the post does not say it.",
        ),
        "Please extract from the content the original sentences that answer the user's question. Output [] if the "
        "question cannot be answered.",
    ),
    "mrc_complex": Wordings(
        r"Which options does the note support as an answer\? Give each with the sentence that says so, or write \[\]\.",
        (
            "Choose the options that the text confirms and quote the sentence behind each, as in A: sentence." + NONE,
            "Which answers to the question can be found in the post? Write each letter with the sentence that proves "
            "it, or [].",
            "Select the right options and give for each the original sentence of the post. Write [] where none is right.",
        ),
        "Please select every option that answers the user's question according to the content, with the original "
        "sentence as the reason, one option a line. Output [] if there is none.",
    ),
    "ner": Wordings(
        r"List the (?P<kind>.+) named in the note, or write \[\]\.",
        (
            "Which {kind} does the text mention? Separate them by semicolons." + NONE,
            "Extract all {kind} from the post, with ; between them, or answer [].",
            "Named entities of the type {kind}: find them in the text. Write [] where there are none.",
        ),
        "Please identify all entities of type {kind} in the content and output them separated by semicolons, or [] if "
        "there are none.",
    ),
    "gender": Wordings(
        r"Does this note appeal to (?P<readers>.+) more than to others\? Answer Yes or No\.",
        (
            "Would mainly {readers} be interested in this post? Yes or No?",
            "Is the text aimed at {readers}? Reply Yes or No.",
            "Judge whether this is content for {readers} above all. Yes/No",
        ),
        "Please determine whether the content is mainly attractive to {readers}. Output Yes or No.",
    ),
    "chlw": Wordings(
        r"Which of the words should be highlighted in the comment\? Name them, or write \[\]\.",
        (
            "Choose the key words of the text from the candidates, separated by semicolons." + NONE,
            "Which candidates are worth searching for in this reply? List them with ; between them, or say [].",
            "Pick the words that a reader would click on. Write [] where none is worth it.",
        ),
        "Please select from the candidate words those that should be marked as highlights of the comment. Output [] if "
        "there are none.",
    ),
    "query_gen": Wordings(
        r"Write the query that a reader of this note would search\.",
        (
            "What would a reader of the post type into the search box?",
            "Generate a search query for the text below.",
            "Suggest one search that this post leads to. Answer with the query alone.",
        ),
        "Please generate the query that users who have read the content are most likely to search for.",
    ),
    **{
        task: Wordings(
            r"Translate the note into (?P<language>.+)\.",
            (
                "Give the {language} translation of the text.",
                "How does one say this post in {language}?",
                "Rewrite the following in {language}.",
            ),
            "Please translate the content into {language}, keeping its style.",
        )
        for task in ("translation_en_zh", "translation_zh_en")
    },
}
LABELS = {
    "Note": (("Note", "Post", "Text"), "Content"),
    "Query": (("Query", "Search", "The user searched"), "Search query"),
    "Question": (("Question", "Q", "Asked"), "User question"),
    "Comment": (("Comment", "Reply", "Text"), "User comment"),
    "Words": (("Words", "Candidates", "Options"), "Candidate words"),
}
_LABEL = re.compile(rf"^({'|'.join(LABELS)})(?=: )", re.MULTILINE)


def reworded(example: Example, rng: np.random.Generator) -> Example:
    """The example in a random other wording, the instruction before or after the rest; unchanged if its wording does
    not match the pattern."""
    wordings = WORDINGS.get(example.task)
    if wordings is None:
        return example
    chosen = {label: str(rng.choice(others)) for label, (others, _) in LABELS.items()}
    return _worded(
        example, wordings.trained, str(rng.choice(wordings.others)), labels=chosen, last=bool(rng.random() < 0.3)
    )


def unseen(example: Example) -> Example:
    """The example in the held-out wording."""
    wordings = WORDINGS.get(example.task)
    if wordings is None:
        return example
    return _worded(
        example, wordings.trained, wordings.unseen, labels={k: other for k, (_, other) in LABELS.items()}, last=False
    )


def instruction_of(task: str, options: Sequence[str]) -> str:
    """The held-out wording, for a question without an instruction."""
    shown = ", ".join(options)
    return WORDINGS[task].unseen.format(
        about="it",
        options=shown,
        grades=shown,
        best=max(options, default="the highest"),
        worst=min(options, default="the lowest"),
        kind="the type asked for",
        readers="the readers asked for",
    )


def _worded(example: Example, pattern: str, template: str, *, labels: dict[str, str], last: bool) -> Example:
    matched = re.match(pattern, example.question)
    if matched is None:
        return example
    instruction = template.format(**matched.groupdict())
    rest = _LABEL.sub(lambda label: labels[label[1]], example.question[matched.end() :].strip())
    # Candidates on lines of their own belong right behind the instruction that announces them.
    last = last and rest.startswith(tuple(f"{label}: " for label in labels.values()))
    question = f"{rest}\n{instruction}" if last else f"{instruction}\n{rest}"
    shared = instruction if example.instruction and not last else ""
    return msgspec.structs.replace(example, question=question, instruction=shared)
