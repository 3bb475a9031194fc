"""What may begin, beside what runs already; names that go into labels, paths and columns."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rayapp.errors import Conflict
from rayapp.experiments.arm_params import ArmParams, RankerParams
from rayapp.experiments.experiment import MAX_BYTES, Arm, Experiment, ExperimentError, parse_experiment
from rayapp.experiments.lifecycle import MAX_RUNNING, MAX_STORED, MODEL, NAME, Started, check, created
from rayapp.experiments.metric import Guardrail, Mean

TWO = (Arm("control", 0.5), Arm("new", 0.5))
ODD = [
    "",
    " ",
    "контроль",
    "ja\u0308",
    "首页",
    "a b",
    "a\0b",
    "a\n",
    "..",
    "../x",
    "-a",
    "a" * 65,
    "a/b",
    "😀",
    "\ud800",
]
MODELS = [
    "redrec@²", "redrec@" + "1" * 5000, "a\0b@1", "../../x@1", "../x", "x@../y", "", "@1", "a@", "a@b@c", "a/b", "redrec@1\n",
    "redrec ", ".hidden", "r" * 129, "модель", "C:\\x",
]  # fmt: skip


def experiment(name: str = "e", layer: str = "l", arms: tuple[Arm, ...] = TWO, **more: object) -> Experiment:
    return Experiment(name, layer, arms, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("where", ["name", "layer", "arm", "metric"])
def test_a_name_that_no_label_or_path_can_hold_is_refused_when_it_is_sent(odd: str, where: str) -> None:
    made = {
        "name": lambda: experiment(name=odd),
        "layer": lambda: experiment(layer=odd),
        "arm": lambda: experiment(arms=(Arm("control", 0.5), Arm(odd, 0.5))),
        "metric": lambda: experiment(metrics=(Mean(odd, "click"),)),
    }[where]()
    with pytest.raises(ExperimentError, match="letters") as refused:
        check(made)
    assert str(refused.value).isascii()
    assert len(str(refused.value)) < 500


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("interleaved", [False, True])
def test_a_model_that_leaves_the_registry_is_refused(model: str, interleaved: bool) -> None:
    params = ArmParams(interleave=RankerParams(model=model)) if interleaved else ArmParams(model=model)
    with pytest.raises(ExperimentError, match="NAME@VERSION"):
        check(experiment(arms=(TWO[0], Arm("new", 0.5, params))))


@given(st.text())
def test_a_checked_name_is_one_part_of_a_path_and_ascii(text: str) -> None:
    for pattern in (NAME, MODEL):
        if pattern.fullmatch(text):
            assert text.isascii()
            assert text.isprintable()
            assert not set(text) & set("/\\\0")
            assert all(not part.startswith(".") for part in text.split("@"))


@pytest.mark.parametrize("model", ["redrec", "redrec@12", "redrec@candidate", "redrec-b", "Four.1_x@v1.0"])
def test_ordinary_models_are_taken(model: str) -> None:
    check(experiment(arms=(TWO[0], Arm("new", 0.5, ArmParams(model=model)))))


def test_more_arms_or_metrics_than_anybody_compares_are_refused() -> None:
    with pytest.raises(ExperimentError, match="21 arms, at most 20"):
        check(experiment(arms=tuple(Arm(f"a{n}", 1 / 21) for n in range(21))))
    with pytest.raises(ExperimentError, match="51 metrics, at most 50"):
        check(experiment(metrics=tuple(Mean(f"m{n}", "click") for n in range(51))))
    with pytest.raises(ExperimentError, match="51 guardrails, at most 50"):
        check(experiment(guardrails=(Guardrail("latency_p99_ms", max=1.0),) * 51))


def test_what_was_stored_before_names_were_checked_is_still_read() -> None:
    old = Started(experiment(arms=(Arm("контроль", 0.5), Arm("a b", 0.5))), 1)
    assert msgspec.json.decode(msgspec.json.encode(old), type=Started) == old


def beginning(number: int, *, running: bool) -> Started:
    return Started(experiment(f"e{number}", f"l{number}"), 1, None if running else 2)


def test_no_more_run_and_no_more_are_stored_than_every_replica_can_follow() -> None:
    running = {f"e{n}": beginning(n, running=True) for n in range(MAX_RUNNING)}
    with pytest.raises(Conflict, match=f"{MAX_RUNNING} experiments run, at most {MAX_RUNNING}"):
        created(running, experiment("more", "another"), 3)
    assert created(running, experiment("e0", "l0"), 3).outcome == "unchanged"
    stored = {f"e{n}": beginning(n, running=False) for n in range(MAX_STORED)}
    with pytest.raises(Conflict, match=f"{MAX_STORED} experiments are stored"):
        created(stored, experiment("more", "another"), 3)
    stored.popitem()
    assert created(stored, experiment("more", "another"), 3).outcome == "created"


NUMBERS = [".nan", ".inf", "-.inf", "1e309", "1e308", "-1", "1.1", "9" * 400]


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize(
    "text",
    [
        "name: n\nlayer: n\narms: [{name: a, weight: %s}, {name: b, weight: 0.5}]",
        "name: n\nlayer: n\ncoverage: %s\narms: [{name: a, weight: 1}]",
        "name: n\nlayer: n\nnamespace: [%s, 2]\narms: [{name: a, weight: 1}]",
        "name: n\nlayer: n\nnamespace: [0.5, %s]\narms: [{name: a, weight: 1}]",
        "name: n\nlayer: n\narms: [{name: a, weight: 1, params: {explore: %s}}]",
    ],
)
def test_no_number_outside_its_range_is_taken(text: str, number: str) -> None:
    with pytest.raises(ExperimentError):
        parse_experiment((text % number).encode())


@given(st.lists(st.floats(), min_size=1, max_size=5), st.floats(), st.tuples(st.floats(), st.floats()))
def test_whatever_is_built_can_be_stored_and_read_back(
    weights: list[float], coverage: float, namespace: tuple[float, float]
) -> None:
    arms = tuple(Arm(f"a{n}", weight) for n, weight in enumerate(weights))
    try:
        made = experiment(arms=arms, coverage=coverage, namespace=namespace)
    except ExperimentError:
        return
    assert msgspec.json.decode(msgspec.json.encode(made), type=Experiment) == made


@pytest.mark.parametrize("limit", [float("nan"), float("inf"), -float("inf")])
def test_a_guardrail_is_a_finite_number(limit: float) -> None:
    with pytest.raises(ExperimentError, match="finite"):
        experiment(guardrails=(Guardrail("latency_p99_ms", max=limit),))


@pytest.mark.parametrize(
    "text",
    [
        b"- " * 4000 + b"x",
        b"[" * 8000,
        b"{a: " * 1500,
        b"? " * 4000,
        b"name: 2020-13-41\nlayer: l\narms: []",
        b"name: " + b"1" * 5000,
        b'name: !!int "abc"',
        b"name: !!float x",
        b"name: !!bool x",
        b"name: !!binary x",
        b"name: !!timestamp x",
        b"name: !!python/object/apply:os.system [x]",
        b"name: &a [*a]",
        b"<<: 5",
        b"? [a, b]\n: c",
        b"name: [" + b"1_" * 2000 + b"]",
        b"name: " + b"1:" * 3000 + b"1",
        b"\xff\xfe\x00",
        b'name: "\\ud800"',
        b"a: 1\n---\nb: 2",
        b"",
        b"null",
        b"# " + b"x" * MAX_BYTES,
    ],
)
def test_text_that_is_no_experiment_is_an_error_of_ours(text: bytes) -> None:
    with pytest.raises(ExperimentError):
        parse_experiment(text)


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda t: t.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_an_experiment_or_an_error_of_ours(text: bytes) -> None:
    with pytest.raises(ExperimentError):
        parse_experiment(b"name: n\nlayer: l\narms: []\nx: " + text)
