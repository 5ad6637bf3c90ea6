"""What a refusal says would fit does fit, when it is written into host.yaml."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provision.host.errors import Diagnostic, ProvisionError
from provision.host.facts import Facts

from .machines import RTX_3060, RTX_3090, Slot, four_3090s, machine, plan, spec, used_by_others
from .random_hosts import given_model, hosts

GGUF = ("Llama-3.1-8B-Instruct", "Qwen2.5-32B-Instruct", "Llama-3.3-70B-Instruct")
TENSORS = (
    "meta-llama/Llama-3.1-8B-Instruct",
    "Qwen/Qwen2.5-32B-Instruct",
    "meta-llama/Llama-3.3-70B-Instruct",
)
_QUANTISED = re.compile(r"^(\w+) \([0-9.]+ GiB of weights\)$")
_KEY = re.compile(r"^(gpus|context|parallel|kv_cache|memory_utilization|cpu_offload): (\w[\w.]*)")


@st.composite
def wishes(draw: st.DrawFn) -> dict[str, Any]:
    """One that is often too large."""
    engine = draw(st.sampled_from(["llama-server", "vllm"]))
    if engine == "vllm":
        model = draw(st.sampled_from(TENSORS))
    else:
        model = (
            f"/srv/{draw(st.sampled_from(GGUF))}-{draw(st.sampled_from(['Q8_0', 'Q4_K_M']))}.gguf"
        )
    more: dict[str, Any] = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "context": st.sampled_from([8192, 32768, 131072]),
                "parallel": st.sampled_from([1, 4, 16]),
                "gpus": st.sampled_from([1, 2]),
            },
        )
    )
    return {"engine": engine, "model": model, **more}


def refusal(instance: dict[str, Any], facts: Facts) -> Diagnostic | None:
    """The complaint that it does not fit, None where the plan stands or complains otherwise."""
    try:
        plan(spec({"a": instance}), facts)
    except ProvisionError as error:
        return next((one for one in error.diagnostics if one.rule == "no-fit"), None)
    return None


def options(told: Diagnostic) -> list[str]:
    hint = told.hint or ""
    if not hint.startswith("would fit: "):
        return []
    return re.split(r", | or ", hint.removeprefix("would fit: "))


def changed(instance: dict[str, Any], option: str) -> dict[str, Any]:
    """The instance with this remedy written into it."""
    stored = _QUANTISED.match(option)
    if stored is None:
        key = _KEY.match(option)
        assert key is not None, f"nobody could write this into host.yaml: {option}"
        word = key[2]
        value: Any = int(word) if word.isdigit() else True if word == "true" else word
        return {**instance, key[1]: float(word) if key[1] == "memory_utilization" else value}
    if instance["engine"] == "vllm":
        return {**instance, "model": f"{instance['model']}-{stored[1]}"}
    return {
        **instance,
        "model": re.sub(r"(Q8_0|Q4_K_M)\.gguf", f"{stored[1]}.gguf", instance["model"]),
    }


@settings(max_examples=60, deadline=None)
@given(hosts(most=4, least=1, others=True), wishes())
def test_every_remedy_of_a_refusal_works(facts: Facts, instance: dict[str, Any]) -> None:
    told = refusal(instance, facts)
    if told is None:
        return
    assert told.place is not None and told.hint
    for option in options(told):
        assert refusal(changed(instance, option), facts) is None, option


ONE = machine([Slot(RTX_3090, "0000:01:00.0")])


@pytest.mark.parametrize(
    ("facts", "instance", "expected"),
    [
        (
            four_3090s(),
            {"engine": "llama-server", "model": f"/srv/{GGUF[2]}-Q4_K_M.gguf", "gpus": 1},
            ["gpus: 2", "cpu_offload: true (slow)"],
        ),
        (
            ONE,
            {"engine": "llama-server", "model": f"/srv/{GGUF[1]}-Q8_0.gguf"},
            ["Q4_K_M (18.5 GiB of weights)", "Q3_K_M (14.8 GiB of weights)"],
        ),
        (
            ONE,
            {"engine": "llama-server", "model": f"/srv/{GGUF[0]}-Q8_0.gguf", "context": 131072},
            ["kv_cache: q8_0", "context: 65536"],
        ),
        (ONE, {"engine": "vllm", "model": TENSORS[1]}, ["AWQ (18.0 GiB of weights)"]),
    ],
)
def test_the_remedies(facts: Facts, instance: dict[str, Any], expected: list[str]) -> None:
    told = refusal(instance, facts)
    assert told is not None
    found = options(told)
    for option in expected:
        assert option in found
    assert len(found) <= 4


def test_only_the_largest_context_that_fits_is_named() -> None:
    model = {"engine": "llama-server", "model": f"/srv/{GGUF[0]}-Q4_K_M.gguf"}
    told = refusal({**model, "context": 131072, "parallel": 4}, ONE)
    assert told is not None
    contexts = [one for one in options(told) if one.startswith("context")]
    assert len(contexts) == 1


def test_where_nothing_helps_nothing_is_promised() -> None:
    told = refusal({"engine": "vllm", "model": "deepseek-ai/DeepSeek-R1"}, ONE)
    assert told is not None and options(told) == []
    assert "smaller model" in (told.hint or "")


def test_a_given_model_has_no_other_quantisation() -> None:
    told = refusal(given_model(30, gpus=1), four_3090s())
    assert told is not None
    assert "gpus: 2" in options(told) and not any("of weights" in one for one in options(told))


def test_no_more_gpus_than_there_are() -> None:
    facts = machine([Slot(RTX_3060, "0000:01:00.0"), Slot(RTX_3060, "0000:02:00.0")])
    told = refusal(given_model(40, gpus=1), facts)
    assert told is not None and not any(one.startswith("gpus") for one in options(told))


def test_room_that_others_took_leads_to_a_smaller_share() -> None:
    """18 GiB are enough for it: a smaller memory_utilization is taken, or named at least."""
    facts = used_by_others(ONE, {0: 3000})
    instance = {"engine": "vllm", "model": "Qwen/Qwen3-8B", "context": 8192}
    told = refusal(instance, facts)
    if told is not None:
        assert any(one.startswith("memory_utilization") for one in options(told))
    else:
        (one,) = plan(spec({"a": instance}), facts).instances
        assert one.memory_utilization is not None
        assert one.memory_utilization * 24576 <= 24576 - 3000
