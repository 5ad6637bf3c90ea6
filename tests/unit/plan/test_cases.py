"""The examples and the recorded hosts as inputs: they read, plan, and show every key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from provision.host.document import loads
from provision.host.facts import Facts
from provision.plan.plan import Plan
from provision.plan.planner import make_plan
from provision.spec.model import (
    GpuSettingsSpec,
    HostSpec,
    InstanceSpec,
    NumaPin,
    ProxySpec,
    Timeouts,
    UpstreamSpec,
)
from provision.spec.read import read_spec

TESTS = Path(__file__).parents[2]
HOSTS = TESTS / "golden" / "hosts"
PLANS = TESTS / "golden" / "plans"
EXAMPLES = TESTS.parent / "examples"
CASES = sorted(path.parent.name for path in HOSTS.glob("*/host.yaml"))
MODELINE = "# yaml-language-server: $schema=./host.schema.json"


def plan_of(case: str) -> Plan:
    folder = HOSTS / case
    read = read_spec((folder / "host.yaml").read_text())
    return make_plan(read.spec, loads(Facts, (folder / "facts.json").read_text()), read.places)


def gpus(case: str) -> dict[str, list[int]]:
    return {one.name: [gpu.index for gpu in one.gpus] for one in plan_of(case).instances}


@pytest.mark.parametrize("case", CASES)
def test_a_recorded_host_is_served_without_a_warning(case: str) -> None:
    assert [one.rule for one in plan_of(case).warnings if one.rule != "tight"] == []


def test_the_article() -> None:
    made = plan_of("article")
    assert gpus("article") == {"small.0": [0], "small.1": [1], "large.0": [2, 3]}
    assert [one.pin.nodes for one in made.instances] == [(0,), (0,), (1,)]
    assert [one.port for one in made.instances] == [11434, 11435, 11436]
    assert made.gpu_settings is not None
    assert {(one.persistence, one.power_limit_watts) for one in made.gpu_settings.gpus} == {
        (True, 300.0)
    }
    assert made.proxy is not None and made.proxy.listen == ("127.0.0.1:8080",)
    root, large = made.proxy.routes
    assert [(one.instance, one.weight) for one in root.members] == [("small.0", 2), ("small.1", 2)]
    assert (large.path, [one.instance for one in large.members]) == ("/large/", ["large.0"])


def test_the_article_is_an_example_of_less_than_30_lines() -> None:
    text = (EXAMPLES / "article.yaml").read_text()
    body = [line for line in text.splitlines() if not line.startswith("#")]
    assert body == (HOSTS / "article" / "host.yaml").read_text().splitlines()
    assert len(text.splitlines()) < 30


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("laptop-1gpu-no-numa", {"chat.0": [0]}),
        ("2x3090-nvlink", {"chat.0": [0, 1]}),
        ("2x4090", {"chat.0": [0], "chat.1": [1]}),
        ("4xl40s-2socket", {"chat.0": [0, 1], "code.0": [2], "draft.0": [3]}),
        ("8x4090", {"big.0": [0, 1, 2, 3, 4, 5, 6, 7], "embed.0": []}),
        (
            "8xh100",
            {"chat.0": [0, 1, 2, 3], "code.0": [4], "code.1": [5], "long.0": [6, 7]},
        ),
        ("no-gpu", {"chat.0": [], "chat.1": [], "tiny.0": []}),
        ("mixed-24-12", {"chat.0": [1], "small.0": [0]}),
    ],
)
def test_gpus_of_the_recorded_hosts(case: str, expected: dict[str, list[int]]) -> None:
    assert gpus(case) == expected


def test_the_instance_over_two_sockets_binds_its_workers() -> None:
    big = plan_of("8x4090").instances[0]
    assert big.pin.per_worker and big.pin.nodes == (0, 1)
    assert (big.tensor_parallel_size, big.pipeline_parallel_size) == (4, 2)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_an_example_reads_and_names_its_schema(path: Path) -> None:
    text = path.read_text()
    assert text.splitlines()[0] == MODELINE
    assert read_spec(text, path.name).spec.instances


def test_ten_lines() -> None:
    lines = (EXAMPLES / "ten-lines.yaml").read_text().splitlines()
    assert len([line for line in lines if not line.startswith("#")]) <= 10


def _raw() -> Iterator[dict[str, Any]]:
    for path in sorted((*HOSTS.glob("*/host.yaml"), *PLANS.glob("*/host.yaml"))):
        yield yaml.safe_load(path.read_text())


def test_the_cases_use_every_key() -> None:
    models = (HostSpec, InstanceSpec, GpuSettingsSpec, ProxySpec, UpstreamSpec, Timeouts, NumaPin)
    used: dict[type, set[str]] = {kind: set() for kind in models}
    for raw in _raw():
        used[HostSpec] |= set(raw)
        used[GpuSettingsSpec] |= set(raw.get("gpu_settings", {}))
        proxy = raw.get("proxy", {})
        used[ProxySpec] |= set(proxy)
        used[Timeouts] |= set(proxy.get("timeouts", {}))
        for way in proxy.get("upstreams", []):
            used[UpstreamSpec] |= set(way)
        for instance in raw["instances"].values():
            used[InstanceSpec] |= set(instance)
            if isinstance(instance.get("numa"), dict):
                used[NumaPin] |= set(instance["numa"])
    for kind, keys in used.items():
        fields = kind.model_fields  # type: ignore[attr-defined]  # all are pydantic models
        assert keys == set(fields), kind.__name__
