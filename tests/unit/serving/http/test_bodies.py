from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from rayapp.serving.http.bodies import NoteIn
from rayapp.validation import InvalidRecord, parse_item


@pytest.mark.parametrize(
    "given", [1, 1.0, 0, "1.0", "a/b", 2**53, 2**53 + 2.0, 0.5, 1e300, True, None, [], "", 10**300, -7]
)
def test_an_id_is_taken_or_refused_as_in_records(given: Any) -> None:
    try:
        wanted = parse_item({"item_id": given, "title": "t"}).item_id
    except InvalidRecord:
        with pytest.raises(ValidationError):
            NoteIn(id=given, text="t")
    else:
        assert NoteIn(id=given, text="t").id == wanted
