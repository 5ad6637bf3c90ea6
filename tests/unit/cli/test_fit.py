"""provision fit: tables that are whole at 100 columns, documents, exit codes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from provision.cli.engine_meant import engine_for, gguf_at_the_hub, meant
from provision.host.document import dumps, loads
from provision.host.errors import Exit
from provision.host.facts import Facts
from provision.plan.fits.catalogue import FitAll
from provision.plan.fits.one_host import Fit
from provision.plan.fits.several_hosts import FitHosts

from .conftest import CHECKOUT, Call

HOSTS = CHECKOUT / "tests/golden/hosts"


def facts(host: str) -> str:
    return str(HOSTS / host / "facts.json")


def narrow(text: str) -> bool:
    return all(len(line) <= 100 and line == line.rstrip() for line in text.splitlines())


def test_one_model(call: Call) -> None:
    said = call("fit", "llama3.3:70b", "--facts", facts("article"))
    assert (said.code, said.err) == (0, "") and narrow(said.out)
    lines = said.out.splitlines()
    assert lines[0].startswith("gpu-box-1: ") and "Q4_K_M" in lines[1]
    head = next(line for line in lines if "one stream" in line)
    first = lines[lines.index(head) + 1]
    assert first.split()[:5] == ["layers", "over", "2", "0", "1"]
    last = next(line for line in lines if "layers in RAM" in line)
    assert lines.index(last) > lines.index(first) and "GiB" in last
    assert head.index("context") == first.index("8,192") == last.index("8,192")
    assert "estimates" in said.out and "  0 1: joined by 4 NVLinks" in lines


def test_json_is_the_same_answer(call: Call) -> None:
    said = call("fit", "llama3.3:70b", "--facts", facts("article"), "--json")
    found = loads(Fit, said.out)
    assert dumps(found) == said.out and found.version == 1
    assert found.ways[0].gpus == (0, 1) and found.engine == "ollama"


def test_what_does_not_fit_is_an_answer(call: Call) -> None:
    words = ("fit", "Qwen/Qwen2.5-72B-Instruct", "--facts", facts("2x4090"))
    said = call(*words)
    assert said.code == 0 and narrow(said.out)
    assert "It does not fit: needs" in said.out and "Would fit: " in said.out
    assert "tok/s" not in said.out and "estimates" not in said.out
    assert loads(Fit, call(*words, "--json").out).ways == ()


@pytest.mark.parametrize("model", ["no-such-model:8b", "owner/Nothing-7B", "/nowhere/at/all.gguf"])
def test_an_unknown_model_is_an_error(model: str, call: Call) -> None:
    said = call("fit", model, "--facts", facts("article"))
    assert (said.code, said.out) == (Exit.ERROR, "") and model in said.err and "hint" in said.err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("llama3.1:8b", "--kv-cache", "fp8"), "ollama has no KV cache of type fp8"),
        (("--engine", "vllm", "--kv-cache", "q4_0"), "vllm has no KV cache of type q4_0"),
        (("llama3.1:8b", "--context", "999999"), "was made for 131,072 tokens"),
        (("--filter", "nothing-at-all"), "no model with nothing-at-all"),
    ],
)
def test_wishes_that_cannot_be(words: tuple[str, ...], expected: str, call: Call) -> None:
    said = call("fit", *words, "--facts", facts("article"))
    assert (said.code, said.out) == (Exit.ERROR, "") and expected in said.err


@pytest.mark.parametrize(
    "words",
    [
        ("--quantisations", "--facts", facts("article")),
        ("llama3.1:8b", "--filter", "llama", "--facts", facts("article")),
        ("--facts", facts("article"), "--facts", facts("2x4090")),
        ("llama3.1:8b", "--facts", "-", "--facts", "-"),
        ("llama3.1:8b", "--network-gbit", "0"),
    ],
)
def test_options_that_do_not_go_together(words: tuple[str, ...], call: Call) -> None:
    assert call("fit", *words).code == Exit.USAGE


@pytest.mark.parametrize(
    ("host", "engine"),
    [("8x4090", None), ("mixed-24-12", "vllm"), ("article", "tabbyapi"), ("no-gpu", None)],
)
def test_the_catalogue_is_whole_at_100_columns(host: str, engine: str | None, call: Call) -> None:
    words = ("--engine", engine) if engine else ()
    said = call("fit", *words, "--facts", facts(host))
    assert (said.code, said.err) == (0, "")
    assert [line for line in said.out.splitlines() if len(line) > 100] == []
    rows = said.out.splitlines()[3:]
    end = next(at for at, line in enumerate(rows) if not line)
    refused = ["does not fit" in line for line in rows[:end]]
    assert end > 150 and f"  {end} models, " in said.out
    if host != "no-gpu":
        assert not any(refused[: end // 2]) and any(refused)
        assert {len(line.split()[0]) > 3 for line in rows[:end]} == {True}
    else:
        assert sum("on the CPU" in line for line in rows[:end]) + sum(refused) == end


def test_the_catalogue_is_one_document(call: Call) -> None:
    said = call("fit", "--filter", "qwen3", "--facts", facts("mixed-24-12"), "--json")
    found = loads(FitAll, said.out)
    assert dumps(found) == said.out and found.version == 1
    assert any(one.ways and one.ways[0].tight for one in found.fits)
    shown = call("fit", "--filter", "qwen3", "--facts", facts("mixed-24-12")).out
    tight = sum(1 for one in found.fits if one.ways and one.ways[0].tight)
    assert sum(" tight" in line and " of " in line for line in shown.splitlines()) - 1 == tight
    assert "  tight: it fits unless" in shown


def test_which_quantisation_fits(call: Call) -> None:
    words = ("fit", "llama3.3:70b", "--quantisations", "--facts", facts("article"))
    said = call(*words)
    assert said.code == 0 and narrow(said.out)
    rows = [line.split() for line in said.out.splitlines()[4:10]]
    assert [row[0] for row in rows] == ["Q3_K_M", "Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "F16"]
    sizes = [float(row[1]) for row in rows]
    assert sizes == sorted(sizes)
    assert rows[1][2:5] == ["layers", "over", "2"] and rows[4][2:5] == ["layers", "over", "4"]
    found = loads(FitAll, call(*words, "--json").out)
    assert [one.quantisation for one in found.fits] == [row[0] for row in rows]
    stored = call(
        "fit", "Qwen/Qwen2.5-32B-Instruct", "--quantisations", "--facts", facts("article")
    )
    assert [line.split()[0] for line in stored.out.splitlines()[4:7]] == ["AWQ", "FP8", "BF16"]


def test_several_hosts(call: Call) -> None:
    both = ("--facts", facts("8xh100"), "--facts", facts("8xh100"))
    said = call("fit", "deepseek-ai/DeepSeek-R1", *both, "--network-gbit", "100")
    assert said.code == 0 and narrow(said.out)
    assert "Over several hosts, 100 Gbit/s between them (estimate)" in said.out
    assert said.out.count("It does not fit") == 2 and "tensor 8 x pipeline 2" in said.out
    found = loads(FitHosts, call("fit", "deepseek-ai/DeepSeek-R1", *both, "--json").out)
    assert (
        found.network_gbit == 10 and len(found.fits) == 2 and found.ways[0].hosts == ("dgx-1",) * 2
    )
    alone = call("fit", "llama3.3:70b", *both)
    assert alone.code == 0 and "an instance of ollama runs on one host" in alone.out


def test_unknown_cards_show_no_speeds(call: Call, tmp_path: Path) -> None:
    known = loads(Facts, Path(facts("2x4090")).read_bytes(), "facts")
    gpus = tuple(replace(gpu, name="NVIDIA Prototype X9") for gpu in known.stable.gpus)
    path = tmp_path / "facts.json"
    path.write_text(dumps(replace(known, stable=replace(known.stable, gpus=gpus))))
    said = call("fit", "llama3.1:8b", "--facts", path)
    assert said.code == 0 and "one stream" not in said.out and "No speeds: " in said.out
    assert "one GPU" in said.out


def test_embedding_models_read(call: Call) -> None:
    said = call("fit", "nomic-embed-text", "--facts", facts("2x4090"))
    assert said.code == 0 and "reading" in said.out and "full batch" not in said.out


def test_on_this_machine_without_facts(call: Call) -> None:
    """Wherever the tests run: it answers."""
    said = call("fit", "llama3.2:1b", "--json")
    assert said.code == 0 and json.loads(said.out)["model"] == "Llama-3.2-1B-Instruct"


@pytest.mark.parametrize(
    ("model", "engine"),
    [
        ("llama3.1:8b", "ollama"),
        ("nomic-embed-text", "ollama"),
        ("hf.co/bartowski/Qwen2.5-7B-Instruct-GGUF", "ollama"),
        ("/srv/models/a:b.gguf", "llama-server"),
        ("/srv/models/Qwen2.5-7B:main", "vllm"),
        ("Qwen/Qwen2.5-7B-Instruct", "vllm"),
        ("Qwen2.5-7B-Instruct", "vllm"),
        ("turboderp/Llama-3.1-8B-Instruct-exl3", "tabbyapi"),
    ],
)
def test_the_engine_of_a_name(model: str, engine: str) -> None:
    assert engine_for(model) == engine


def test_repositories_of_gguf_files() -> None:
    assert meant("a/b-GGUF:Q4_K_M") == ("hf.co/a/b-GGUF:Q4_K_M", "ollama")
    assert meant("a/b-GGUF:Q4_K_M", "vllm") == ("a/b-GGUF:Q4_K_M", "vllm")
    assert gguf_at_the_hub("bartowski/Qwen2.5-7B-Instruct-GGUF:Q4_K_M")
    for other in ("hf.co/a/b-GGUF", "/srv/a-GGUF/", "Qwen/Qwen2.5-7B", "models/a.gguf", "gguf:8b"):
        assert not gguf_at_the_hub(other)
