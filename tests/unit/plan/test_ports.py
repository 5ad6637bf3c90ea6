"""Ports, and who else holds them."""

from __future__ import annotations

from typing import Any

import pytest

from provision.host.errors import Diagnostic, ProvisionError
from provision.host.facts import Facts, GpuProcess, Listener, UnitNow
from provision.plan.plan import Plan

from .machines import four_3090s, plan, running, spec, with_system, with_volatile

VENDOR = UnitNow("ollama.service", "active", "enabled", 1311)
VENDOR_LISTENER = Listener("127.0.0.1", 11434, 1311, "ollama", "ollama.service")
PYTHON = Listener("0.0.0.0", 8000, 8121, "python3", "session-4.scope")


def ollama(**more: Any) -> dict[str, Any]:
    return {"engine": "ollama", "model": "llama3.1:8b", **more}


def vllm(**more: Any) -> dict[str, Any]:
    return {"engine": "vllm", "model": "Qwen/Qwen3-8B", **more}


def llama(**more: Any) -> dict[str, Any]:
    return {"engine": "llama-server", "model": "/srv/Llama-3.1-8B-Instruct-Q4_K_M.gguf", **more}


def ports_of(made: Plan) -> dict[str, int]:
    return {one.name: one.port for one in made.instances}


def errors(text: str, facts: Facts) -> list[Diagnostic]:
    with pytest.raises(ProvisionError) as caught:
        plan(text, facts)
    return [one for one in caught.value.diagnostics if one.severity == "error"]


def test_from_the_engines_own_upward() -> None:
    made = plan(spec({"o": ollama(replicas=2), "v": vllm(), "l": llama()}), four_3090s())
    assert ports_of(made) == {"o.0": 11434, "o.1": 11435, "v.0": 8000, "l.0": 8080}


def test_what_is_taken_is_skipped_and_said() -> None:
    facts = with_volatile(four_3090s(), listeners=(PYTHON,))
    text = spec({"v": vllm(), "x": vllm(port=8001), "l": llama()}, proxy={"listen": 8080})
    made = plan(text, facts)
    assert ports_of(made) == {"v.0": 8002, "x.0": 8001, "l.0": 8081}
    (reason,) = [one.text for one in made.reasons if one.subject == "v.0" and "port" in one.text]
    assert "8000 is held by python3 (pid 8121, session-4.scope)" in reason
    assert "8001 is x.0's" in reason


def test_upstream_ports_belong_to_the_proxy() -> None:
    proxy = {"listen": 9000, "upstreams": [{"port": 8080, "instances": ["l"]}]}
    assert ports_of(plan(spec({"l": llama()}, proxy=proxy), four_3090s())) == {"l.0": 8081}


def test_replicas_follow_the_explicit_port() -> None:
    made = plan(spec({"v": vllm(port=9100, replicas=2), "w": vllm(port=9101)}), four_3090s())
    assert ports_of(made) == {"v.0": 9100, "v.1": 9102, "w.0": 9101}


def test_an_explicit_port_that_somebody_holds() -> None:
    facts = with_volatile(four_3090s(), listeners=(PYTHON,))
    (found,) = errors(spec({"v": vllm(port=8000)}), facts)
    assert found.rule == "port-taken"
    assert "8000" in found.message and "python3 (pid 8121, session-4.scope)" in found.message
    assert found.place is not None and found.place.text.strip() == "port: 8000"


def test_another_address_is_not_in_the_way() -> None:
    other = Listener("192.168.1.20", 8000, 1, "nginx", "nginx.service")
    made = plan(spec({"v": vllm(port=8000)}), with_volatile(four_3090s(), listeners=(other,)))
    assert ports_of(made) == {"v.0": 8000}


def test_a_vendor_unit_on_the_port_names_the_remedy() -> None:
    facts = with_volatile(four_3090s(), listeners=(VENDOR_LISTENER,), units=(VENDOR,))
    (found,) = errors(spec({"o": ollama(port=11434)}), facts)
    assert "ollama.service" in found.message
    assert "takeover: true" in (found.hint or "")


def test_takeover_frees_the_port_and_stops_the_unit() -> None:
    facts = with_volatile(four_3090s(), listeners=(VENDOR_LISTENER,), units=(VENDOR,))
    made = plan(spec({"o": ollama()}, takeover=True), facts)
    assert ports_of(made) == {"o.0": 11434}
    assert made.takeover == ("ollama.service",)
    assert not made.warnings


def test_a_vendor_unit_beside_ours_is_warned_about() -> None:
    facts = with_volatile(four_3090s(), listeners=(VENDOR_LISTENER,), units=(VENDOR,))
    made = plan(spec({"o": ollama()}), facts)
    assert ports_of(made) == {"o.0": 11435}
    assert made.takeover == ()
    assert [one.rule for one in made.warnings] == ["vendor-unit"]


@pytest.mark.parametrize(
    ("active", "enabled", "taken"),
    [
        ("inactive", "enabled", ("ollama.service",)),
        ("inactive", "disabled", ()),
        ("active", "disabled", ("ollama.service",)),
    ],
)
def test_takeover_takes_what_runs_now_or_after_a_boot(
    active: str, enabled: str, taken: tuple[str, ...]
) -> None:
    facts = with_volatile(four_3090s(), units=(UnitNow("ollama.service", active, enabled),))
    assert plan(spec({"o": ollama()}, takeover=True), facts).takeover == taken


def test_a_vendor_unit_on_our_gpu_is_an_error() -> None:
    facts = four_3090s()
    process = GpuProcess(facts.stable.gpus[0].uuid, 1400, 5120, "ollama", "ollama.service")
    busy = with_volatile(facts, gpu_processes=(process,), units=(VENDOR,))
    (found,) = errors(spec({"o": ollama()}), busy)
    assert found.rule == "vendor-unit" and "GPU 0 (5120 MiB)" in found.message
    assert "takeover: true" in (found.hint or "")
    assert plan(spec({"o": ollama()}, takeover=True), busy).takeover == ("ollama.service",)


def test_a_strange_process_on_our_gpu_is_warned_about() -> None:
    facts = four_3090s()
    process = GpuProcess(facts.stable.gpus[0].uuid, 77, 900, "Xorg", "display-manager.service")
    made = plan(spec({"o": ollama()}), with_volatile(facts, gpu_processes=(process,)))
    (found,) = made.warnings
    assert "Xorg (pid 77" in found.message and "900 MiB" in found.message


def test_own_listeners_are_not_strangers_and_ports_stay() -> None:
    facts = four_3090s()
    before = plan(spec({"a": ollama(), "b": ollama(), "v": vllm()}), facts)
    after = plan(spec({"b": ollama(), "v": vllm(), "n": ollama()}), running(facts, before))
    assert ports_of(before) == {"a.0": 11434, "b.0": 11435, "v.0": 8000}
    # 11434 is free only once a.0 has stopped
    assert ports_of(after) == {"b.0": 11435, "v.0": 8000, "n.0": 11436}
    assert before.instances[2].internal_ports == after.instances[1].internal_ports


def test_an_explicit_port_beats_todays() -> None:
    facts = four_3090s()
    before = plan(spec({"a": ollama(replicas=2)}), facts)
    after = plan(spec({"a": ollama(replicas=2, port=12000)}), running(facts, before))
    assert ports_of(after) == {"a.0": 12000, "a.1": 12001}


def test_a_port_of_another_engine_is_not_kept() -> None:
    facts = four_3090s()
    before = plan(spec({"a": ollama()}), facts)
    assert ports_of(plan(spec({"a": vllm()}), running(facts, before))) == {"a.0": 8000}


def test_a_port_among_the_ephemeral_ones_is_warned_about() -> None:
    made = plan(spec({"v": vllm(port=40000)}), four_3090s())
    (found,) = made.warnings
    assert found.rule == "port-ephemeral" and "32768-60999" in found.message


def test_defaults_avoid_the_ephemeral_ports() -> None:
    facts = with_system(four_3090s(), ephemeral_ports=(8000, 9000))
    assert ports_of(plan(spec({"v": vllm()}), facts)) == {"v.0": 9001}


def test_internal_ports_are_blocks_that_nobody_else_has() -> None:
    other = Listener("127.0.0.1", 20003, 5, "postgres", None)
    facts = with_volatile(four_3090s(), listeners=(other,))
    made = plan(spec({"v": vllm(replicas=3)}), facts)
    assert [one.internal_ports[0] for one in made.instances] == [20016, 20032, 20048]
    assert {len(one.internal_ports) for one in made.instances} == {16}


def test_the_proxy_port_held_by_another_program() -> None:
    other = Listener("::", 8080, 5, "apache2", "apache2.service")
    facts = with_volatile(four_3090s(), listeners=(other,))
    (found,) = errors(spec({"o": ollama()}, proxy={"listen": 8080}), facts)
    assert found.rule == "port-taken" and "apache2" in found.message


@pytest.mark.parametrize(
    "listener",
    [
        Listener("0.0.0.0", 8080, 5, "nginx", "nginx.service"),
        Listener("127.0.0.1", 8080, 5, "llama-server", "llama-server@old.0.service"),
        Listener("192.0.2.9", 8080, 5, "apache2", "apache2.service"),
    ],
)
def test_the_proxy_port_held_by_who_makes_room(listener: Listener) -> None:
    facts = with_volatile(four_3090s(), listeners=(listener,))
    made = plan(spec({"o": ollama()}, proxy={"listen": 8080}), facts)
    assert made.proxy is not None and made.proxy.listen == ("127.0.0.1:8080",)
