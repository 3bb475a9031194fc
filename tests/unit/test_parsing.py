"""The one door for documents."""

from __future__ import annotations

import time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rayapp.parsing import MAX_DEPTH, Unreadable, check_finite, convert, json_lines, json_object, json_value, yaml_value

DEEP = 100_000


@pytest.mark.parametrize("opened", ["[", '{"a":'])
def test_json_of_any_depth_is_an_error_of_ours(opened: str) -> None:
    with pytest.raises(Unreadable, match="nested deeper"):
        json_value((opened * DEEP).encode())


@pytest.mark.parametrize("text", [b"NaN", b"[Infinity]", b"-Infinity", b"\xff\xfe", b'"\\ud800', b"{", b"01"])
def test_what_is_no_json_is_said_to_be_none(text: bytes) -> None:
    with pytest.raises(Unreadable) as error:
        json_value(text, what="the body")
    assert error.value.reason == "not_json"
    assert "the body" in str(error.value)


@pytest.mark.parametrize("text", [b"", None, b"[]", b"3", b"null", b'"a"', b"true"])
def test_an_object_is_asked_for(text: bytes | None) -> None:
    with pytest.raises(Unreadable, match="object"):
        json_object(text)


@pytest.mark.parametrize(
    "text",
    ["- " * DEEP + "x", "[" * DEEP, "{a: " * DEEP, "".join(" " * n + "a:\n" for n in range(500)), "? " * DEEP + "x"],
    ids=["sequences", "flow", "maps", "indented", "keys"],
)
def test_nested_yaml_is_refused_before_it_is_composed(text: str) -> None:
    started = time.process_time()
    with pytest.raises(Unreadable, match=f"more than {MAX_DEPTH} levels"):
        yaml_value(text, what="the experiment")
    assert time.process_time() - started < 10  # it took minutes before; what is read is what is refused


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: .nan", "not_finite"),
        ("a: [1, {b: -.inf}]", "not_finite"),
        ("name: 2020-13-41", "not_yaml"),
        ("a: " + "9" * 5000, "not_yaml"),
        ('a: !!int "abc"', "not_yaml"),
        ("a: !!float x", "not_yaml"),
        ("a: !!bool maybe", "not_yaml"),
        ("a: !!python/object:os.system x", "not_yaml"),
        ("a: &x 1\nb: *x", "aliases"),
        ("a: [", "not_yaml"),
        ("a: b: c", "not_yaml"),
        ('"a\\0b": 1\n\x00', "not_yaml"),
        ("{[1, 2]: 3}", "not_yaml"),
        ("x" * 2_000_000, "too_large"),
    ],
)
def test_yaml_that_cannot_be_used_is_an_error_of_ours(text: str, reason: str) -> None:
    with pytest.raises(Unreadable) as error:
        yaml_value(text, what="the experiment")
    assert error.value.reason == reason
    assert len(str(error.value)) < 500


def test_yaml_that_is_not_utf8() -> None:
    with pytest.raises(Unreadable, match="UTF-8"):
        yaml_value(b"a: \xff", what="the policy")


def test_what_is_yaml_or_json_is_read() -> None:
    assert yaml_value(b'{"a": [1, 2.5, {"b": null}]}', what="x") == {"a": [1, 2.5, {"b": None}]}
    assert yaml_value("a: [1, 2.5]\nb: {c: x}", what="x") == {"a": [1, 2.5], "b": {"c": "x"}}
    assert yaml_value("", what="x") is None


def test_the_place_of_a_number_that_is_not_finite() -> None:
    with pytest.raises(Unreadable, match=r"arms\[1\]\.weight is nan"):
        check_finite({"arms": [{"weight": 1.0}, {"weight": float("nan")}]}, what="x")


def test_lines_keep_their_numbers_and_a_bad_one_ends_nothing() -> None:
    lines = [b'{"a": 1}\n', b"\n", b"oops\n", b"[1]\n", b'{"b": 2}']
    read = list(json_lines(lines, what="log.jsonl"))
    assert [number for number, _ in read] == [1, 3, 4, 5]
    assert read[0][1] == {"a": 1}
    assert "log.jsonl line 3" in str(read[1][1])
    assert isinstance(read[2][1], Unreadable)
    assert read[3][1] == {"b": 2}


@given(st.text() | st.binary())
def test_any_text_is_a_value_or_an_error_of_ours(text: str | bytes) -> None:
    for read in (json_value, lambda t: yaml_value(t, what="x")):
        try:
            read(text)
        except Unreadable as error:
            assert error.reason


@pytest.mark.parametrize("number", ["1e-05", "1E5", "-2e+3", "5e-324"])
def test_json_is_read_as_json(number: str) -> None:
    """YAML 1.1 takes a number without a point for text."""
    for text in (f'{{"coverage": {number}}}', f'[{{"a": [{number}]}}]'):
        assert yaml_value(text, what="x") == json_value(text)


def test_json_that_is_too_deep_is_refused_as_yaml_is() -> None:
    with pytest.raises(Unreadable, match="levels deep"):
        yaml_value("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), what="x")
    assert yaml_value("[" * MAX_DEPTH + "]" * MAX_DEPTH, what="x")


@pytest.mark.parametrize("text", ["0x" + "f" * 5000, "a: [0x" + "f" * 5000 + "]", "? 0x" + "f" * 5000 + "\n: 1"])
def test_no_number_has_more_digits_than_can_be_shown(text: str) -> None:
    with pytest.raises(Unreadable, match="digits") as refused:
        yaml_value(text, what="x")
    assert len(str(refused.value)) < 200


def test_a_byte_order_mark_costs_no_line() -> None:
    lines = [b'\xef\xbb\xbf{"a": 1}\n', b'{"a": 2}\n']
    assert list(json_lines(lines, what="f")) == [(1, {"a": 1}), (2, {"a": 2})]


class Settings(msgspec.Struct):
    coverage: float = 1.0
    inner: Settings | None = None


@pytest.mark.parametrize("text", ["coverage: 1e-05", "inner: {coverage: 1e-05}", "inner: {inner: {coverage: 1e-05}}"])
def test_a_number_that_yaml_reads_as_text_is_said_how_to_write(text: str) -> None:
    with pytest.raises(Unreadable, match=r"YAML reads it as text, write 1\.0e-05"):
        convert(yaml_value(text, what="x"), Settings, what="x")


def test_a_text_that_is_no_number_has_no_such_hint() -> None:
    with pytest.raises(Unreadable) as refused:
        convert({"coverage": "much"}, Settings, what="x")
    assert "YAML" not in str(refused.value)
