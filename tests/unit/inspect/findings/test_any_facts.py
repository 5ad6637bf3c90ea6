"""Whatever the facts are, findings come out, in order, and the same ones each time."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provision.host.document import dumps, loads
from provision.host.facts import Facts, InspectRequest, Stable, Volatile
from provision.host.inspect.findings import Observed, findings
from provision.host.quantity import CpuSet, PciAddress

# Few values, so that devices, GPUs, links and processes meet each other.
_VALUES: dict[Any, list[Any]] = {
    bool: [True, False],
    int: [0, 1, 2, 16, 79, 8000, 1 << 70, -1],
    float: [0.0, 2.5, 16.0, 350.0, 1e300, -1.0],
    str: [
        "GPU-a",
        "GPU-b",
        "nvidia",
        "nouveau",
        "NVIDIA H100",
        "/srv",
        "hw-thermal",
        "upstream",
        "",
    ],
    CpuSet: [CpuSet(), CpuSet.of((0, 1)), CpuSet.of((9,))],
    PciAddress: [PciAddress(0, bus, 0, 0) for bus in range(3)],
}


@cache
def any_of(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a type as the facts use them: records, tuples, mappings, choices, None."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if kind in _VALUES:
        return st.sampled_from(_VALUES[kind])
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return st.builds(
            kind, **{one.name: any_of(hints[one.name]) for one in dataclasses.fields(kind)}
        )
    if origin is Literal:
        return st.sampled_from(inner)
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*(any_of(one) for one in inner))
    if origin is tuple:
        return st.lists(any_of(inner[0]), max_size=3).map(tuple)
    if origin is Mapping:
        return st.dictionaries(any_of(inner[0]), any_of(inner[1]), max_size=2)
    assert kind is type(None)
    return st.none()


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(any_of(InspectRequest), any_of(Stable), any_of(Volatile), any_of(Observed))
def test_any_facts(
    request: InspectRequest, stable: Stable, volatile: Volatile, observed: Observed
) -> None:
    found = findings(request, stable, volatile, observed)
    assert found == findings(request, stable, volatile, observed)
    order = [("error", "warning", "note").index(one.severity) for one in found]
    assert order == sorted(order)
    facts = Facts(1, Stable(stable.system), findings=found)
    assert loads(Facts, dumps(facts)).findings == found
