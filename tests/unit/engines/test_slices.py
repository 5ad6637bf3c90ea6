"""MIG slices: one a process, by its own UUID."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from provision.engines.launch import EngineName, Launch
from provision.engines.registry import engine_named

from .launches import launch

SLICE = "MIG-4c60d78c-506f-5593-938d-a136eaa1fa52"
ENGINES: tuple[EngineName, ...] = ("llama-server", "ollama", "vllm")


def on_slice(engine: EngineName, profile: str | None = "1g.10gb", **rest: Any) -> Launch:
    one = launch(engine, **rest)
    return dataclasses.replace(
        one, gpus=(dataclasses.replace(one.gpus[0], uuid=SLICE, profile=profile),)
    )


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("profile", ["1g.10gb", None])
def test_every_engine_gets_the_uuid_and_guard_no_index(
    engine: EngineName, profile: str | None
) -> None:
    one = on_slice(engine, profile, version="0.33.0" if engine == "vllm" else "11434")
    found = engine_named(engine).environment(one)
    assert found["CUDA_VISIBLE_DEVICES"] == SLICE
    assert found["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    assert engine_named(engine).visible_devices_variable(one) is None
    assert engine_named(engine).problems(one) == ()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_slice_has_no_company(engine: EngineName) -> None:
    one = launch(engine, 2, version="0.33.0")
    mixed = dataclasses.replace(
        one, gpus=(one.gpus[0], dataclasses.replace(one.gpus[1], uuid=SLICE, profile="3g.40gb"))
    )
    (problem,) = engine_named(engine).problems(mixed)
    assert (problem.rule, problem.severity) == ("slice-among-gpus", "error")
    assert SLICE in problem.message
    assert engine_named(engine).problems(one) == ()


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("0.22.0", "found is vLLM 0.22.0"),
        ("0.10.0", "found is vLLM 0.10.0"),
        (None, "the version found is not known"),
        ("0.24.0", None),
        ("0.33.0", None),
    ],
)
def test_vllm_versions_that_do_not_start_there(version: str | None, said: str | None) -> None:
    found = engine_named("vllm").problems(on_slice("vllm", version=version))
    assert [one.severity for one in found] == (["warning"] if said else [])
    assert all(said and said in one.message for one in found)
