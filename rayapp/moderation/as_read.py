"""A note as its readers see it, which is what must be judged: not the characters that hide its words from a model."""

from __future__ import annotations

import re
import unicodedata

MAX_MARKS = 2  # combining characters on one letter that a script needs; more of them only blur it
SPACED = re.compile(r"(?<!\w)(?:\w[ \t.*_\-]{1,2}){3,}\w(?!\w)")  # l i k e  t h i s, or l.i.k.e
BETWEEN = re.compile(r"[ \t.*_\-]+")
# h4te, k!ll: between letters alone, so that mp3 and an address stay
IN_WORD = re.compile(r"(?i)(?<=[a-z])(?:[01345$!]|@(?!\w+\.))+(?=[a-z])")
LETTERS = str.maketrans("01345@$!", "oieasasi")
# Letters of other scripts that look Latin, read so in a word that has Latin ones too.
LOOK_ALIKE = str.maketrans(
    "аеорсухіјѕԁһкмтвнАЕОРСУХІЈЅКМТВНοαενυρικτΟΑΕΝΥΡΙΚΤ", "aeopcyxijsdhkmtbhAEOPCYXIJSKMTBHoaevupiktOAENYPIKT"
)
MIXED = re.compile(r"\b(?=\w*[a-zA-Z])(?=\w*[\u0370-\u03ff\u0400-\u052f])\w+")
REPEATED = re.compile(r"(?i)(?!www\.)([^\W\d_])\1{2,}")  # soooo
DELIMITERS = re.compile(r"[<>]{3,}")  # what stands around a note in a prompt


def as_read(text: str) -> str:
    """Compatibility forms folded (full-width, mathematical and circled letters), invisible characters and stacked marks
    taken out, spaced letters joined, digits and letters of another script within a word read as what they look like,
    no letter more than twice in a row, and no delimiter of a prompt left.

    Ordinary text stays as it is, up to its compatibility forms.
    """
    folded = unicodedata.normalize("NFKC", text)
    if not folded.isascii():
        folded = unicodedata.normalize("NFC", _visible(folded))
    joined = SPACED.sub(lambda match: BETWEEN.sub("", match.group()), folded)
    joined = MIXED.sub(lambda match: match.group().translate(LOOK_ALIKE), joined)
    spelled = IN_WORD.sub(lambda match: match.group().translate(LETTERS), joined)
    return DELIMITERS.sub(" ", REPEATED.sub(r"\1\1", spelled))


def _visible(text: str) -> str:
    """Without format characters (zero-width, direction, tags, variation selectors) and stacked combining marks."""
    kept: list[str] = []
    marks = 0
    for character in unicodedata.normalize("NFD", text):
        category = unicodedata.category(character)
        if category == "Cf" or "\ufe00" <= character <= "\ufe0f":
            continue
        if category == "Cc" and character not in "\t\n\r":
            continue
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if category == "Me" or marks > MAX_MARKS:
            continue
        kept.append(character)
    return "".join(kept)
