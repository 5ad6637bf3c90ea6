"""provision init: what it writes plans cleanly; what does not fit is said, and nothing written."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from provision.cli.drafting import Wanted, drafted, remarks_of
from provision.host.document import dumps, loads
from provision.host.errors import Exit
from provision.host.facts import EngineFound, Facts, Listener, PathFound, UnitNow
from provision.host.ollama_tags import DEFAULT_MODELS_DIR
from provision.pipeline import plan as make_plan
from provision.pipeline import read
from provision.plan.plan import Plan
from tests.unit.plan.machines import EVERY_ENGINE

from .conftest import CHECKOUT, Call

HOSTS = CHECKOUT / "tests/golden/hosts"
ARTICLE = HOSTS / "article/facts.json"


def facts_of(host: str) -> Facts:
    return loads(Facts, (HOSTS / host / "facts.json").read_bytes(), host)


def saved(facts: Facts, folder: Path) -> Path:
    path = folder / "facts.json"
    path.write_text(dumps(facts))
    return path


def with_engines(facts: Facts, engines: Sequence[EngineFound] = EVERY_ENGINE) -> Facts:
    return replace(facts, stable=replace(facts.stable, engines=tuple(engines)))


def planned(path: Path, facts: Facts) -> Plan:
    """As `provision plan` does it; raises on an error."""
    return make_plan(read(path.read_bytes(), str(path)), facts)


@pytest.mark.parametrize("purpose", ["latency", "throughput", "memory"])
@pytest.mark.parametrize(
    ("host", "models"),
    [
        ("2x3090-nvlink", ["casperhansen/llama-3.3-70b-instruct-awq"]),
        ("2x4090", ["llama3.1:8b", "qwen2.5:14b"]),
        ("4xl40s-2socket", ["Qwen/Qwen2.5-72B-Instruct"]),
        ("8x4090", ["Qwen/Qwen2.5-72B-Instruct-AWQ", "BAAI/bge-m3"]),
        ("8xh100", ["meta-llama/Llama-3.3-70B-Instruct", "Qwen/Qwen2.5-7B-Instruct"]),
        ("article", ["llama3.1:8b"]),
        ("article", ["llama3.3:70b", "hf.co/bartowski/Qwen2.5-7B-Instruct-GGUF:Q4_K_M"]),
        ("laptop-1gpu-no-numa", ["llama3.2:3b", "nomic-embed-text"]),
        ("mixed-24-12", ["qwen2.5:32b"]),
        ("no-gpu", ["llama3.1:8b", "qwen2.5:0.5b"]),
    ],
)
def test_what_it_writes_plans_cleanly(
    host: str, models: list[str], purpose: str, call: Call, tmp_path: Path
) -> None:
    path = tmp_path / "host.yaml"
    words = [word for model in models for word in ("--model", model)]
    facts_file = HOSTS / host / "facts.json"
    said = call("init", *words, "--for", purpose, "--facts", facts_file, "-o", path)
    assert said.code == 0, said.err
    plan = planned(path, facts_of(host))
    assert {one.rule for one in plan.warnings} <= {"not-looked-at", "tight"}
    assert {model for one in plan.instances for model in one.models} == set(models)
    assert all(len(line) <= 100 for line in path.read_text().splitlines())
    assert f"optimize: {purpose}" in path.read_text()
    assert f"provision plan {path}" in said.err
    assert not [line for line in said.out.splitlines() if len(line) > 100]


def test_throughput_takes_all_the_cards(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "host.yaml"
    call("init", "--model", "llama3.1:8b", "--for", "throughput", "--facts", ARTICLE, "-o", path)
    plan = planned(path, facts_of("article"))
    assert "replicas: auto" in path.read_text() and len(plan.instances) == 4
    call("init", "--model", "llama3.1:8b", "--facts", ARTICLE, "-o", path, "--force")
    assert len(planned(path, facts_of("article")).instances) == 1


def test_comments_say_what_the_plan_made_of_it(call: Call) -> None:
    said = call("init", "--model", "llama3.3:70b", "--facts", ARTICLE, "-o", "-")
    assert said.code == 0
    text = said.out
    assert "# gpu-box-1: 2 sockets" in text and "2 GPUs, layers" in text and "tok/s" in text
    assert "Estimate: " in text
    plan = make_plan(read(text, "host.yaml"), facts_of("article"))
    (one,) = plan.instances
    assert [len(one.gpus), one.models] == [2, ("llama3.3:70b",)]
    # Numbers, ids and ports of this boot's cards would be wrong tomorrow.
    assert not any(gpu.uuid in text or str(gpu.address) in text for gpu in one.gpus)


def test_a_file_that_is_there_is_kept(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "host.yaml"
    path.write_text("mine\n")
    words = ("init", "--model", "llama3.1:8b", "--facts", ARTICLE, "-o", path)
    said = call(*words)
    assert said.code == Exit.USAGE and "--force" in said.err and path.read_text() == "mine\n"
    assert call(*words, "--force").code == 0 and "llama3.1:8b" in path.read_text()
    path.unlink()
    path.symlink_to(tmp_path / "nowhere")
    assert call(*words).code == Exit.USAGE and not (tmp_path / "nowhere").exists()


def test_a_model_that_does_not_fit_writes_nothing(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "host.yaml"
    laptop = HOSTS / "laptop-1gpu-no-numa/facts.json"
    said = call("init", "--model", "llama3.3:70b", "--facts", laptop, "-o", path)
    assert said.code == Exit.ERROR and not path.exists()
    assert "needs" in said.err and "GiB" in said.err and "hint: " in said.err
    # A file that nobody has written yet has no line to point at.
    assert "host.yaml:" not in said.err


def test_the_nearest_that_fits_is_named(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "host.yaml"
    words = ("init", "--model", "qwen2.5:72b", "--facts", HOSTS / "2x4090/facts.json")
    said = call(*words, "--context", "32768", "-o", path)
    assert said.code == Exit.ERROR and not path.exists()
    assert "would fit: " in said.err


@pytest.mark.parametrize(
    ("model", "engines", "expected"),
    [
        ("llama3.1:8b", ("vllm",), "vllm is here: --model meta-llama/"),
        ("Qwen/Qwen2.5-7B-Instruct", ("ollama",), "ollama is here: --model qwen2.5:7b"),
        (
            "llama3.1:8b",
            ("llama-server",),
            "llama-server is here: --model with the path of a .gguf",
        ),
    ],
)
def test_an_engine_that_is_missing(
    model: str, engines: tuple[str, ...], expected: str, call: Call, tmp_path: Path
) -> None:
    here = [one for one in EVERY_ENGINE if one.engine in engines]
    facts = saved(with_engines(facts_of("2x4090"), here), tmp_path)
    said = call("init", "--model", model, "--facts", facts, "-o", tmp_path / "host.yaml")
    assert said.code == Exit.ERROR and expected in said.err
    assert not (tmp_path / "host.yaml").exists()


def test_no_engine_at_all_has_no_other(call: Call, tmp_path: Path) -> None:
    facts = saved(with_engines(facts_of("2x4090"), ()), tmp_path)
    said = call("init", "--model", "llama3.1:8b", "--facts", facts, "-o", "-")
    assert said.code == Exit.ERROR and "is here" not in said.err and said.out == ""


@pytest.mark.parametrize("model", ["no-such-model:8b", "owner/Nothing-7B", "/srv/none.gguf"])
def test_an_unknown_model(model: str, call: Call, tmp_path: Path) -> None:
    facts = saved(with_engines(facts_of("2x4090")), tmp_path)
    said = call("init", "--model", model, "--facts", facts, "-o", tmp_path / "host.yaml")
    assert said.code == Exit.ERROR and not (tmp_path / "host.yaml").exists()
    assert model in said.err


def test_the_proxy_takes_the_next_free_port(call: Call, tmp_path: Path) -> None:
    facts = facts_of("2x4090")
    held = tuple(
        Listener("0.0.0.0", port, 4242, "java", "jenkins.service") for port in (8080, 8081)
    )
    facts = replace(facts, volatile=replace(facts.volatile, listeners=held))
    path = saved(facts, tmp_path)
    words = ("init", "--model", "llama3.1:8b", "--facts", path, "-o", "-")
    said = call(*words)
    assert said.code == 0 and "  listen: 8082 " in said.out
    asked = call(*words, "--listen", "8081")
    assert asked.code == Exit.ERROR and "8081" in asked.err and asked.out == ""


def test_vendors_units_are_taken_over(call: Call, tmp_path: Path) -> None:
    facts = facts_of("2x4090")
    for units in ((), (UnitNow("ollama.service", "active", "enabled"),)):
        now = replace(facts, volatile=replace(facts.volatile, units=units))
        said = call("init", "--model", "llama3.1:8b", "--facts", saved(now, tmp_path), "-o", "-")
        assert said.code == 0
        assert ("takeover: true" in said.out) == bool(units)


def test_without_nginx_there_is_no_proxy(call: Call, tmp_path: Path) -> None:
    facts = facts_of("2x4090")
    facts = replace(facts, stable=replace(facts.stable, nginx=None))
    said = call("init", "--model", "llama3.1:8b", "--facts", saved(facts, tmp_path), "-o", "-")
    assert said.code == 0 and "\nproxy:" not in said.out and "# proxy:" in said.out


def test_models_that_are_not_pulled_yet_are_told_and_planned() -> None:
    """Facts of a look that found no model: still planned, and what apply will ask for is known."""
    pulled = f"{DEFAULT_MODELS_DIR}/manifests/registry.ollama.ai/library/llama3.1/8b"
    facts = facts_of("2x4090")
    looked = (PathFound(DEFAULT_MODELS_DIR, "directory"), PathFound(pulled, None))
    facts = replace(facts, stable=replace(facts.stable, paths=looked))
    result = drafted(Wanted(("llama3.1:8b",), "latency"), facts)
    assert len(result.plan.instances) == 1
    (remark,) = remarks_of(result.text, facts)
    assert remark.severity == "note" and remark.message.startswith("before apply: ")
    assert remark.hint is not None and "pull llama3.1:8b" in remark.hint


def test_a_file_that_is_not_there_is_an_error(call: Call, tmp_path: Path) -> None:
    """Known by its name alone, but host.yaml would point at nothing."""
    name = "/srv/models/Llama-3.1-8B-Instruct-Q4_K_M.gguf"
    facts = with_engines(facts_of("2x4090"))
    facts = replace(facts, stable=replace(facts.stable, paths=(PathFound(name, None),)))
    said = call("init", "--model", name, "--facts", saved(facts, tmp_path), "-o", "-")
    assert said.code == Exit.ERROR and said.out == "" and f"{name} does not exist" in said.err


def test_nobody_to_ask(call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    said = call("init", "--facts", ARTICLE)
    assert said.code == Exit.USAGE and "--model" in said.err
    assert list(tmp_path.iterdir()) == []


CONTROLS = (b"\x03", b"\x04")  # Ctrl-C and end of file


def talk(answers: Sequence[bytes], folder: Path) -> tuple[int, str, str]:
    """Run it with a terminal as stdin and stderr; an answer is typed at each question."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "provision", "init", "--facts", str(ARTICLE)],
        cwd=folder,
        stdin=theirs,
        stderr=theirs,
        stdout=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=_own_terminal,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(CHECKOUT), "LC_ALL": "C.UTF-8"},
    )
    os.close(theirs)
    heard, left, deadline = "", list(answers), time.monotonic() + 60
    asked = 0
    while time.monotonic() < deadline:
        ready, _, _ = select.select([ours], [], [], 0.2)
        if ready:
            try:
                new = os.read(ours, 4096).decode()
            except OSError:  # the other end is closed
                break
            heard += new
        questions = heard.count("by blanks):") + heard.count("[latency]:")
        if left and questions > asked:
            asked = questions
            os.write(ours, left.pop(0))
        if not ready and process.poll() is not None:
            break
        if not ready and not left and answers[-1] in CONTROLS and asked:
            # Python may take a signal just before its read() blocks, and then reads on.
            os.write(ours, answers[-1])
    if process.poll() is None and time.monotonic() >= deadline:
        process.kill()
    out = process.stdout.read().decode() if process.stdout else ""
    os.close(ours)
    return process.wait(10), out, heard


def _own_terminal() -> None:
    """The terminal becomes the child's own, so that Ctrl-C typed there reaches it."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_it_asks_and_writes(tmp_path: Path) -> None:
    code, out, heard = talk([b"llama3.1:8b, qwen2.5:7b\n", b"memory\n"], tmp_path)
    assert code == 0, heard
    text = (tmp_path / "host.yaml").read_text()
    assert "optimize: memory" in text and "qwen2.5:7b" in text and "llama3.1:8b" in text
    assert "Which models?" in heard and "Which models?" not in out
    planned(tmp_path / "host.yaml", facts_of("article"))


@pytest.mark.parametrize("answers", [[b"\x03"], [b"\x04"], [b"llama3.1:8b\n", b"\x03"]])
def test_ctrl_c_and_end_of_file_write_nothing(answers: list[bytes], tmp_path: Path) -> None:
    code, out, heard = talk(answers, tmp_path)
    assert code != 0 and out == "" and "Traceback" not in heard
    assert list(tmp_path.iterdir()) == []
