"""A few pictures to the byte: what a change does to them is looked at before it is accepted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from provision.host.facts import Facts
from provision.plan.plan import Plan
from provision.view.picture import draw

from .machines import PLANS, gb200, laptop

FOLDER = Path(__file__).parents[3] / "golden/pictures"
Case = Callable[[], tuple[Facts, Plan | None]]
CASES: dict[str, Case] = {
    "laptop": lambda: (laptop(), None),
    "gb200": lambda: (gb200(), None),
    "bridged-planned": lambda: PLANS["bridged"](),
}


@pytest.mark.parametrize("name", CASES)
def test_draws_to_expected(name: str, update_golden: bool) -> None:
    drawn = draw(*CASES[name]())
    path = FOLDER / f"{name}.svg"
    if update_golden:
        FOLDER.mkdir(exist_ok=True)
        path.write_text(drawn, encoding="utf-8")
    assert drawn == path.read_text(encoding="utf-8"), "pytest --update-golden writes it; look at it"


def test_no_picture_is_left_over() -> None:
    assert sorted(path.stem for path in FOLDER.iterdir()) == sorted(CASES)
