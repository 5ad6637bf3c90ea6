"""What must be there before anything is started, and what the owner may not set."""

from __future__ import annotations

from typing import Any

import pytest

from provision.host.document import dumps
from provision.host.errors import Diagnostic, ProvisionError
from provision.host.facts import EngineFound, Facts
from provision.plan.checks import pull_command
from provision.plan.planner import make_plan
from provision.spec.read import read_spec

from .machines import four_3090s, looked_at, plan, spec, with_stable, with_system

OLLAMA = {"engine": "ollama", "model": "llama3.1:8b"}
VLLM = {"engine": "vllm", "model": "Qwen/Qwen3-8B"}
GGUF = "/srv/Llama-3.1-8B-Instruct-Q4_K_M.gguf"
LLAMA = {"engine": "llama-server", "model": GGUF}


def errors(text: str, facts: Facts) -> dict[str, Diagnostic]:
    with pytest.raises(ProvisionError) as caught:
        plan(text, facts)
    return {one.rule: one for one in caught.value.diagnostics if one.severity == "error"}


@pytest.mark.parametrize("engine", [OLLAMA, VLLM, LLAMA])
def test_a_missing_engine_says_how_to_install_it(engine: dict[str, Any]) -> None:
    found = errors(spec({"a": engine}), four_3090s(engines=()))["no-engine"]
    assert engine["engine"] in found.message
    assert found.hint
    assert found.place is not None and "engine:" in found.place.text


def test_an_engine_in_somebodys_home_is_not_taken() -> None:
    home = EngineFound("vllm", "/root/.local/share/uv/tools/vllm/bin/vllm", "0.10.0")
    found = errors(spec({"a": VLLM}), four_3090s(engines=(home,)))["no-engine"]
    assert "which a service may not enter" in found.message
    shared = EngineFound("vllm", "/opt/vllm/bin/vllm", "0.10.0", "/opt/vllm")
    made = plan(spec({"a": VLLM}), four_3090s(engines=(home, shared)))
    assert "/opt/vllm/bin/vllm" in dumps(made) and "/root/" not in dumps(made)


def test_a_venv_without_vllm() -> None:
    facts = four_3090s()
    found = errors(spec({"a": {**VLLM, "venv": "/opt/other"}}), facts)["no-engine"]
    assert "/opt/other/bin/vllm" in found.message
    assert "/opt/vllm/bin/vllm" in (found.hint or "")


def test_the_venv_or_binary_that_is_named_is_taken() -> None:
    engines = (
        EngineFound("vllm", "/opt/a/bin/vllm", "0.10.0", "/opt/a"),
        EngineFound("vllm", "/opt/b/bin/vllm", "0.33.0", "/opt/b"),
        EngineFound("ollama", "/opt/o/ollama", "0.30.0"),
    )
    text = spec(
        {
            "a": VLLM,
            "b": {**VLLM, "venv": "/opt/b/"},
            "c": {**OLLAMA, "binary": "/opt/o/ollama"},
        }
    )
    made = plan(text, four_3090s(engines=engines))
    assert [(one.program, one.version) for one in made.instances] == [
        ("/opt/a/bin/vllm", "0.10.0"),
        ("/opt/b/bin/vllm", "0.33.0"),
        ("/opt/o/ollama", "0.30.0"),
    ]
    assert any("also there: /opt/b/bin/vllm" in one.text for one in made.reasons)


def test_facts_of_another_request_are_a_warning() -> None:
    text = spec({"a": {**LLAMA, "binary": "/opt/x/llama-server"}})
    read = read_spec(text)
    made = make_plan(read.spec, four_3090s(), read.places)
    assert {one.rule for one in made.warnings} == {"not-looked-at"}
    assert made.instances[0].program == "/opt/x/llama-server"
    words = " ".join(one.message for one in made.warnings)
    assert GGUF in words and "/opt/x/llama-server" in words


def test_a_missing_model_file() -> None:
    text = spec({"a": LLAMA})
    found = errors(text, looked_at(four_3090s(), text, [GGUF]))["no-model-file"]
    assert GGUF in found.message
    assert found.place is not None and found.place.text.strip() == f"model: {GGUF}"


def test_a_model_that_is_not_pulled_comes_with_the_command() -> None:
    manifest = "/srv/ollama/manifests/registry.ollama.ai/library/qwen2.5/7b"
    models = ["llama3.1:8b", "qwen2.5:7b"]
    text = spec({"a": {"engine": "ollama", "models": models, "models_dir": "/srv/ollama"}})
    found = errors(text, looked_at(four_3090s(), text, [manifest]))["model-not-pulled"]
    assert "qwen2.5:7b is not in /srv/ollama" in found.message
    assert "pull qwen2.5:7b" in (found.hint or "")
    assert "OLLAMA_MODELS=/srv/ollama" in (found.hint or "")
    assert "sudo -u ollama" in (found.hint or "")
    assert found.place is not None and "qwen2.5:7b" in found.place.text


def test_the_pull_command_is_quoted_and_makes_the_user_when_it_is_missing() -> None:
    command = pull_command("/usr/bin/ollama", "a:b", "/srv/my models", user_exists=False)
    assert command.startswith("useradd -r")
    assert "OLLAMA_MODELS='/srv/my models'" in command
    assert "useradd" not in pull_command("/usr/bin/ollama", "a:b", "/srv/m", user_exists=True)


@pytest.mark.parametrize(
    ("extra", "path"),
    [
        ({"secrets": {"VLLM_API_KEY": {"file": "/etc/llm/key"}}}, "/etc/llm/key"),
        ({}, "/etc/llm/keys"),
    ],
)
def test_a_missing_file_of_secrets(extra: dict[str, Any], path: str) -> None:
    proxy = {"listen": 8080, "keys": {"file": "/etc/llm/keys"}}
    text = spec({"a": {**VLLM, **extra}}, proxy=proxy)
    found = errors(text, looked_at(four_3090s(), text, [path]))["no-secret-file"]
    assert path in found.message
    assert found.place is not None and path in found.place.text


def test_nginx_python_and_systemd() -> None:
    facts = with_system(four_3090s(nginx=None), systemd=247, python=None)
    found = errors(spec({"a": OLLAMA}, proxy={"listen": 8080}), facts)
    assert set(found) == {"no-nginx", "no-python", "systemd-old"}
    assert "247" in found["systemd-old"].message and "249" in found["systemd-old"].message
    assert plan(spec({"a": OLLAMA}), four_3090s(nginx=None)).proxy is None


def test_an_unknown_systemd_is_a_warning() -> None:
    made = plan(spec({"a": OLLAMA}), with_system(four_3090s(), systemd=None))
    assert [one.rule for one in made.warnings] == ["systemd-unknown"]


@pytest.mark.parametrize(
    ("instance", "rule", "key"),
    [
        ({**VLLM, "args": ["--max_model_len=4096"]}, "owned-option", "use context"),
        ({**VLLM, "args": ["--api-key", "/x"]}, "owned-option", "use secrets"),
        ({**VLLM, "args": ["--host", "0.0.0.0"]}, "owned-option", "loopback"),
        ({**LLAMA, "args": ["-c", "4096"]}, "owned-option", "use context"),
        ({**OLLAMA, "args": ["--verbose"]}, "no-options", "use env"),
        ({**OLLAMA, "env": {"OLLAMA_HOST": "0.0.0.0"}}, "owned-variable", "use port"),
        ({**OLLAMA, "env": {"CUDA_VISIBLE_DEVICES": "0"}}, "owned-variable", "use gpus"),
        ({**VLLM, "env": {"VLLM_PORT": "8000"}}, "owned-variable", "internal ports"),
    ],
)
def test_what_the_plan_owns_is_refused(instance: dict[str, Any], rule: str, key: str) -> None:
    found = errors(spec({"a": instance}), four_3090s())[rule]
    assert key in (found.hint or "")
    assert found.place is not None


def test_secrets_may_name_what_only_they_should() -> None:
    secrets = {"VLLM_API_KEY": {"file": "/etc/llm/key"}, "HF_TOKEN": {"file": "/etc/llm/hf"}}
    made = plan(spec({"a": {**VLLM, "secrets": secrets}}), four_3090s())
    assert set(made.instances[0].secrets) == {"VLLM_API_KEY", "HF_TOKEN"}
    bad = {**VLLM, "secrets": {"HOME": {"file": "/etc/llm/key"}}}
    assert set(errors(spec({"a": bad}), four_3090s())) == {"owned-variable"}


def test_all_complaints_at_once_in_the_order_of_the_file() -> None:
    facts = with_system(four_3090s(nginx=None), numactl=None)
    text = spec(
        {
            "a": {**VLLM, "pin": "numactl", "args": ["--port", "1"]},
            "b": {**OLLAMA, "numa": [9], "env": {"HOME": "/x"}},
        },
        gpu_settings={"power_limit_watts": 9},
        proxy={"listen": 8080},
    )
    with pytest.raises(ProvisionError) as caught:
        plan(text, facts)
    rules = [one.rule for one in caught.value.diagnostics]
    assert set(rules) == {
        "owned-option",
        "no-numactl",
        "no-such-node",
        "owned-variable",
        "power-limit",
        "no-nginx",
    }
    lines = [one.place.line for one in caught.value.diagnostics if one.place is not None]
    assert lines == sorted(lines)


def test_removed_options_of_vllm_are_warned_about_once_for_all_copies() -> None:
    made = plan(spec({"a": {**VLLM, "replicas": 3, "args": ["--swap-space", "4"]}}), four_3090s())
    assert [one.rule for one in made.warnings] == ["option-gone"]


def test_the_context_that_ollama_gets_is_explained() -> None:
    made = plan(spec({"a": OLLAMA, "b": {**OLLAMA, "context": 4096}}), four_3090s())
    assert [one.context for one in made.instances] == [8192, 4096]
    told = [one for one in made.reasons if one.text.startswith("context is")]
    assert [one.subject for one in told] == ["a"]
    assert "8192 tokens, since host.yaml names none" in told[0].text
    assert with_stable(four_3090s(), nginx=None).stable.nginx is None
