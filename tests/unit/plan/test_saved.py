"""Saved plans: what changes of a machine they notice, and what moves without anybody's doing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from provision.host.document import dumps, loads
from provision.host.errors import ProvisionError
from provision.host.facts import Facts, InspectRequest, ModelFound, PathFound, Stable
from provision.host.quantity import CpuSet
from provision.plan.plan import Plan
from provision.plan.saved import (
    changed,
    differences,
    is_plan,
    read_plan,
    source_of,
    spec_changed,
    stable_digests,
)

HOSTS = Path(__file__).resolve().parents[2] / "golden/hosts"
FACTS = loads(Facts, (HOSTS / "article/facts.json").read_text())
GGUF = ModelFound("gguf", architecture="llama", weight_bytes=4_000_000_000)
WITH_MODEL = (
    PathFound("/srv/a.gguf", "file", 4_100_000_000, True, "/srv", GGUF),
    PathFound("/srv/models", "directory"),
    PathFound("/srv/to-come.gguf"),
)
PLAN = Plan(1, "gpu-box-1", 252, "v2", "/usr/bin/python3")


def with_stable(change: Callable[[Stable], Stable], facts: Facts = FACTS) -> Facts:
    return replace(facts, stable=change(facts.stable))


def source_changes(change: Callable[[Stable], Stable]) -> tuple[str, ...]:
    base = with_stable(lambda stable: replace(stable, paths=WITH_MODEL))
    source = source_of("/root/host.yaml", b"version: 1\n", InspectRequest(), base)
    assert changed(source, base) == ()
    return changed(source, with_stable(change, base))


@pytest.mark.parametrize(
    "change",
    [
        lambda one: replace(one, users=("vllm",), exporters=(), mounts=()),
        lambda one: replace(one, system=replace(one.system, kernel="6.1.0-99", pretty_name="x")),
        lambda one: replace(one, system=replace(one.system, cuda_device_order="PCI_BUS_ID")),
        lambda one: replace(one, cgroup=replace(one.cgroup, path="/user.slice/session-9.scope")),
        lambda one: replace(
            one, numa_nodes=tuple(replace(node, huge_pages=()) for node in one.numa_nodes)
        ),
        # Another boot numbers the cards in another order.
        lambda one: replace(
            one,
            gpus=tuple(replace(gpu, index=9 - gpu.index, minor=7) for gpu in one.gpus),
            gpu_links=tuple(replace(link, a=link.b, b=link.a) for link in one.gpu_links),
        ),
        # Our own unit has pulled a model and made a folder since.
        lambda one: replace(
            one,
            paths=(
                *one.paths[:2],
                PathFound("/srv/to-come.gguf", "file", 1, model=GGUF),
                PathFound("/srv/new", "directory"),
            ),
        ),
        lambda one: replace(
            one, paths=tuple(replace(p, mount="/", readable=None) for p in one.paths)
        ),
    ],
)
def test_what_moves_by_itself_changes_nothing(change: Callable[[Stable], Stable]) -> None:
    assert source_changes(change) == ()


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("system", lambda one: replace(one, system=replace(one.system, hostname="other"))),
        ("system", lambda one: replace(one, system=replace(one.system, systemd=255))),
        ("system", lambda one: replace(one, system=replace(one.system, memory_mib=4096))),
        ("cgroup", lambda one: replace(one, cgroup=replace(one.cgroup, memory_mib=1024))),
        ("cpu", lambda one: replace(one, cpu=replace(one.cpu, offline=CpuSet.parse("63")))),
        ("numa_nodes", lambda one: replace(one, numa_nodes=one.numa_nodes[:1])),
        ("drivers", lambda one: replace(one, drivers=())),
        ("gpus", lambda one: replace(one, gpus=one.gpus[1:])),
        ("gpus", lambda one: replace(one, gpus=(replace(one.gpus[0], mig=True), *one.gpus[1:]))),
        ("gpu_links", lambda one: replace(one, gpu_links=one.gpu_links[1:])),
        ("engines", lambda one: replace(one, engines=())),
        ("nginx", lambda one: replace(one, nginx=None)),
        ("paths:/srv/a.gguf", lambda one: replace(one, paths=())),
        (
            "paths:/srv/a.gguf",
            lambda one: replace(
                one,
                paths=(
                    replace(one.paths[0], model=replace(GGUF, weight_bytes=1)),
                    *one.paths[1:],
                ),
            ),
        ),
    ],
)
def test_what_a_plan_depends_on(part: str, change: Callable[[Stable], Stable]) -> None:
    assert source_changes(change) == (part,)


def test_digests_have_the_parts_by_name_and_stay_through_json() -> None:
    digests = stable_digests(FACTS)
    assert {"system", "cpu", "gpus", "gpu_links", "engines", "nginx"} <= digests.keys()
    assert all(len(one) == 64 for one in digests.values())
    source = source_of("/x", b"", InspectRequest(paths=("/srv/a",)), FACTS)
    plan = loads(Plan, dumps(replace(PLAN, source=source)))
    assert plan.source == source and changed(source, FACTS) == ()


def test_a_part_that_the_plan_was_not_made_with_counts() -> None:
    source = source_of("/x", b"", InspectRequest(), FACTS)
    fewer = {name: digest for name, digest in source.stable.items() if name != "gpus"}
    assert changed(replace(source, stable=fewer), FACTS) == ("gpus",)


def test_differences_say_what_is_known() -> None:
    source = source_of("/x", b"", InspectRequest(), FACTS)
    other = with_stable(
        lambda one: replace(one, nginx=None, system=replace(one.system, hostname="other"))
    )
    assert differences(PLAN, source, other) == (
        "nginx differs from when it was made",
        "the system: host name gpu-box-1 then, other now",
    )


def test_spec_is_compared_by_its_bytes() -> None:
    source = source_of("/x", b"version: 1\n", InspectRequest(), FACTS)
    assert not spec_changed(source, b"version: 1\n")
    assert spec_changed(source, b"version: 1 \n")


@pytest.mark.parametrize(
    "text",
    [
        b"version: 1\ninstances: {}\n",
        b'{"version": 1, "instances": {"a": {"engine": "ollama"}}}',
        b"{version: 1, instances: {}}",
        b"",
        b"[]",
        dumps(FACTS).encode(),
        b"{" * 100_000,
    ],
)
def test_other_documents_are_no_plans(text: bytes) -> None:
    assert not is_plan(text)


def test_a_plan_is_known_by_its_content() -> None:
    text = dumps(PLAN).encode()
    assert is_plan(text) and read_plan(text, "x") == PLAN
    assert is_plan(json.dumps(json.loads(text)).encode())  # written by another program
    assert is_plan(text[:-40])  # cut short


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[:60], "p.json:5:2: error: this saved plan is damaged"),
        (lambda text: text.replace('"version": 1', '"version": 2'), "a plan of version 2"),
        (lambda text: text.replace('"proven"', '"prove"'), r"\$: unknown key 'prove'"),
        (lambda text: text.replace("252", '"252"'), r"\$.systemd: expected int"),
    ],
)
def test_damaged_plans_name_the_place(damage: Callable[[str], str], message: str) -> None:
    with pytest.raises(ProvisionError, match=message) as refused:
        read_plan(damage(dumps(PLAN)).encode(), "p.json")
    assert [one.rule for one in refused.value.diagnostics] == ["bad-document"]
