"""Persistence and power limits."""

from __future__ import annotations

from typing import Any

import pytest

from provision.host.errors import ProvisionError

from .machines import (
    RTX_3060,
    RTX_3090,
    RTX_4060_LAPTOP,
    Slot,
    four_3090s,
    machine,
    plan,
    spec,
    uuid_of,
)

CPU = {"a": {"engine": "ollama", "model": "llama3.1:8b", "gpus": 0}}
MIXED = machine(
    [
        Slot(RTX_3090, "0000:01:00.0"),
        Slot(RTX_3060, "0000:02:00.0"),
        Slot(RTX_3060, "0000:03:00.0"),
    ]
)


def limits(facts: Any, **settings: Any) -> list[float | None]:
    made = plan(spec(CPU, gpu_settings=settings), facts).gpu_settings
    assert made is not None
    return [one.power_limit_watts for one in made.gpus]


def test_one_limit_for_all_with_persistence() -> None:
    made = plan(
        spec(CPU, gpu_settings={"persistence": True, "power_limit_watts": 300}), four_3090s()
    ).gpu_settings
    assert made is not None and made.device_order == "PCI_BUS_ID"
    assert [(str(one.address), one.persistence, one.power_limit_watts) for one in made.gpus] == [
        ("0000:17:00.0", True, 300.0),
        ("0000:65:00.0", True, 300.0),
        ("0000:b3:00.0", True, 300.0),
        ("0000:ca:00.0", True, 300.0),
    ]


def test_limits_by_selector_mean_all_that_match() -> None:
    wanted = [
        {"gpus": {"model": "3060"}, "watts": 150},
        {"gpus": ["0000:01:00.0"], "watts": 300},
    ]
    assert limits(MIXED, power_limit_watts=wanted) == [300.0, 150.0, 150.0]


def test_a_count_holds() -> None:
    wanted = [{"gpus": {"model": "3060", "count": 1}, "watts": 150}]
    assert limits(MIXED, power_limit_watts=wanted) == [150.0]


@pytest.mark.parametrize("watts", [100, 390])
def test_the_ends_of_the_range_are_allowed(watts: int) -> None:
    assert limits(four_3090s(), power_limit_watts=watts) == [float(watts)] * 4


@pytest.mark.parametrize(
    ("wanted", "rule", "words"),
    [
        (99, "power-limit", ["99 W", "GPU 0 (RTX 3090", "100 to 390 W"]),
        (300, "power-limit", ["GPU 1 (RTX 3060", "100 to 212 W", "100 to 212 W suits all"]),
        ([{"gpus": {"model": "H100"}, "watts": 150}], "gpus-short", ["0 match", "RTX 3060"]),
        ([{"gpus": {"model": "3060", "count": 3}, "watts": 150}], "gpus-short", ["2 match"]),
        ([{"gpus": ["0000:09:00.0"], "watts": 150}], "no-such-gpu", ["0000:09:00.0"]),
        (
            [
                {"gpus": {"model": "3060"}, "watts": 150},
                {"gpus": [uuid_of("0000:03:00.0")], "watts": 160},
            ],
            "two-limits",
            ["150 and 160 W"],
        ),
    ],
)
def test_limits_that_cannot_be(wanted: Any, rule: str, words: list[str]) -> None:
    with pytest.raises(ProvisionError) as caught:
        plan(spec(CPU, gpu_settings={"power_limit_watts": wanted}), MIXED)
    found = {one.rule: str(one) for one in caught.value.diagnostics}
    assert rule in found
    text = "\n".join(str(one) for one in caught.value.diagnostics)
    for word in words:
        assert word in text
    assert "host.yaml:" in found[rule]


def test_an_unknown_range_is_a_warning() -> None:
    facts = machine([Slot(RTX_4060_LAPTOP, "0000:01:00.0")])
    made = plan(spec(CPU, gpu_settings={"power_limit_watts": 60}), facts)
    assert [one.rule for one in made.warnings] == ["power-range-unknown"]
    assert made.gpu_settings is not None
    assert made.gpu_settings.gpus[0].power_limit_watts == 60.0


def test_without_a_gpu_a_limit_is_an_error_and_persistence_a_warning() -> None:
    with pytest.raises(ProvisionError, match="no NVIDIA GPU"):
        plan(spec(CPU, gpu_settings={"power_limit_watts": 300}), machine())
    made = plan(spec(CPU, gpu_settings={"persistence": True}), machine())
    assert [one.rule for one in made.warnings] == ["no-gpu"]


def test_nothing_is_set_that_is_not_asked_for() -> None:
    made = plan(spec(CPU, gpu_settings={"device_order": "FASTEST_FIRST"}), MIXED).gpu_settings
    assert made is not None
    assert (made.gpus, made.device_order) == ((), "FASTEST_FIRST")
    assert plan(spec(CPU), MIXED).gpu_settings is None


def budget(facts: Any, **settings: Any) -> list[str]:
    text = spec(CPU, gpu_settings=settings)
    try:
        told = plan(text, facts).warnings
    except ProvisionError as error:
        told = error.diagnostics
    return [f"{one.severity} {one.message}" for one in told if one.rule == "power-budget"]


def test_limits_within_the_power_supplies() -> None:
    assert budget(four_3090s(), power_supply_watts=2000, power_limit_watts=300) == []
    assert budget(four_3090s(), power_limit_watts=300) == []
    assert budget(four_3090s(), power_supply_watts=1750) == []
    (told,) = budget(four_3090s(), power_supply_watts=1749)
    assert told.startswith("warning") and "1400 W, 80% of the 1749 W" in told


def test_limits_beyond_the_power_supplies() -> None:
    (told,) = budget(four_3090s(), power_supply_watts=1000, power_limit_watts=300)
    assert told.startswith("error") and "1200 W, 120% of the 1000 W" in told
    # The cards' own defaults are not the spec's doing.
    (told,) = budget(four_3090s(), power_supply_watts=1000)
    assert told.startswith("warning") and "1400 W, 140%" in told
