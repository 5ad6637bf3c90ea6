"""Decision tables of five articles: each row of theirs, our answer, agreement or the reason.

docs/explanation/article.md shows the same rows; a row that differs from what the planner does now
fails here.
"""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from provision.engines.launch import Launch
from provision.host.errors import ProvisionError
from provision.plan.fits.one_host import fit
from provision.plan.plan import Plan

from .articles import CASES
from .articles.case import Case
from .articles.machines import MACHINES
from .machines import plan, spec

PAGE = Path(__file__).resolve().parents[3] / "docs" / "explanation" / "article.md"
HEADING = "The decision tables of five articles"
HEAD = "| it says | machine | host.yaml | our plan | agrees |"
SHORT = {"tensor_parallel_size": "tensor", "pipeline_parallel_size": "pipeline"}


@functools.cache
def answer(number: int) -> tuple[str, str, int]:
    """Our answer to a case: in words, its kind, and how many GPUs it takes."""
    case = CASES[number]
    if any(one["engine"] == "tabbyapi" for one in case.instances.values()):
        return _fitted(case)
    try:
        made = plan(spec(case.instances, **case.rest), MACHINES[case.machine]())
    except ProvisionError as error:
        return f"refused: {error.diagnostics[0].rule}", "refused", 0
    words = {group: _group(made, group) for group in case.instances}
    gpus = sum(len(one.gpus) for one in made.instances)
    if len(words) > 1:
        return "; ".join(f"{group}: {text}" for group, text in words.items()), "several", gpus
    text = next(iter(words.values()))
    return text, _kind(text), gpus


def _group(made: Plan, group: str) -> str:
    copies = [one for one in made.instances if one.group == group]
    text = _way(copies[0], made)
    if len(copies) == 1:
        return text
    assert {_way(one, made) for one in copies} == {text}
    return f"{len(copies)} copies, {text} each"


def _way(launch: Launch, made: Plan) -> str:
    count = len(launch.gpus)
    uneven = ", uneven" if len(set(launch.stage_layers)) > 1 else ""
    if launch.gpu_layers is not None:
        uneven = ", rest in RAM"
    if count == 1:
        return f"one GPU{uneven}"
    if launch.engine != "vllm":
        return f"layers over {count} GPUs{uneven}"
    sizes = {"tensor": launch.tensor_parallel_size, "pipeline": launch.pipeline_parallel_size}
    assert launch.tensor_parallel_size * launch.pipeline_parallel_size == count, made.host
    return " x ".join(f"{name} {size}" for name, size in sizes.items() if size > 1) + uneven


def _fitted(case: Case) -> tuple[str, str, int]:
    """An engine that host.yaml does not take yet: `provision fit` answers for it."""
    (wish,) = case.instances.values()
    best = fit(wish["model"], wish["engine"], MACHINES[case.machine]()).ways[0]
    kind, _, layers = best.way.partition(" ")
    uneven = ", uneven" if len(set(layers.split(" + "))) > 1 else ""
    return f"{kind} over {len(best.gpus)} GPUs{uneven}", kind, len(best.gpus)


def _kind(text: str) -> str:
    kinds = [word for word in ("copies", "tensor", "pipeline", "layers", "one GPU") if word in text]
    return " x ".join(kinds) if kinds[0] == "tensor" else kinds[0]


def agrees(number: int) -> bool:
    _, kind, gpus = answer(number)
    case = CASES[number]
    return kind in case.want and case.gpus in (None, gpus)


def wish_words(case: Case) -> str:
    """`vllm Qwen3-14B, optimize throughput`: what the page says of host.yaml."""
    found = []
    for name, one in case.instances.items():
        model = one["model"].rpartition("/")[2].removesuffix(".gguf")
        keys = [f"{SHORT.get(key, key)} {value}" for key, value in one.items() if key not in _BASE]
        first = f"{name}: " if len(case.instances) > 1 else ""
        found.append(first + ", ".join([f"{one['engine']} {model}", *keys]))
    return "; ".join(found).replace("True", "true").replace("['--enforce-eager']", "eager")


_BASE = ("engine", "model")


def line(number: int) -> tuple[str, ...]:
    """The cells of a case on the page."""
    case = CASES[number]
    verdict = f"no: {case.why}" if case.why else "yes"
    return (case.says, case.machine, wish_words(case), case.ours, verdict)


def page_rows() -> list[tuple[str, ...]]:
    """The cells of all tables below the heading that have our plan, without their heads."""
    text = PAGE.read_text(encoding="utf-8").split(f"## {HEADING}\n", 1)[1].split("\n## ", 1)[0]
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith(HEAD)]
    return [
        tuple(cell.strip() for cell in row.strip("|").split("|"))
        for table in tables
        for row in table[2:]
    ]


NUMBERS = [
    pytest.param(at, id=f"{case.article}: {case.says} ({case.machine})")
    for at, case in enumerate(CASES)
]


@pytest.mark.parametrize("number", NUMBERS)
def test_our_answer(number: int) -> None:
    assert answer(number)[0] == CASES[number].ours


@pytest.mark.parametrize("number", NUMBERS)
def test_agreement_or_a_reason(number: int) -> None:
    """A reason stands where we differ, and only there."""
    why = CASES[number].why
    assert agrees(number) == (not why)
    assert not why or len(why) > 30


def test_the_page_has_every_row() -> None:
    assert page_rows() == [line(number) for number in range(len(CASES))]


def test_all_five_articles_are_there() -> None:
    """Two of PromptQuorum (a long one and its short form), one of each of the others."""
    assert {case.article for case in CASES} == {
        *("PromptQuorum", "GigaGPU", "InsiderLLM", "Linux guide")
    }


@pytest.mark.parametrize(
    "wish",
    [
        pytest.param({"engine": "vllm", "model": "Qwen/Qwen3-14B"}, id="28 + 12 of 40 fit"),
        pytest.param(
            {"engine": "ollama", "model": "llama3.3:70b-instruct-q3_K_M", "context": 2048},
            id="57 + 23 of 80 fit",
        ),
    ],
)
def test_unequal_cards_hold_what_some_split_of_layers_fits(wish: dict[str, object]) -> None:
    """InsiderLLM: 3090 + 3060 run 70B models. With fewer layers on the 3060 these fit."""
    made = plan(spec({"m": wish}), MACHINES["RTX 3090 + RTX 3060"]())
    assert len(made.instances[0].gpus) == 2


@pytest.mark.parametrize(("watts", "warned"), [(750, True), (1200, False), (1600, False)])
def test_two_3090s_want_a_power_supply_of_1200_watts(watts: int, warned: bool) -> None:
    """InsiderLLM: 750 W shut down under load, 1,200 W at least, 1,600 W give headroom."""
    text = spec(
        {"m": {"engine": "ollama", "model": "llama3.3:70b"}},
        gpu_settings={"power_supply_watts": watts},
    )
    rules = [one.rule for one in plan(text, MACHINES["2 x RTX 3090"]()).warnings]
    assert ("power-budget" in rules) == warned
