"""models list, models show: what people see, what programs get, what is refused."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from provision.cli.model_asked import engine_of, model_asked, quantisation_named
from provision.cli.model_list import billions, tokens_text
from provision.host.errors import Exit
from provision.models.weights import Quantisation
from tests.unit.inspect.models.files import safetensors

from .conftest import Call

GIB = 1 << 30


def test_list_is_a_line_a_model(call: Call) -> None:
    said = call("models", "list")
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert [line for line in lines if len(line) > 100] == []
    assert lines[0].split() == ["model", "params", "active", "context", "native", "Ollama"]
    row = next(line for line in lines if line.startswith("  Llama-3.1-8B-Instruct ")).split()
    assert row[1:] == ["8.0", "B", "-", "128K", "BF16", "llama3.1"]
    moe = next(line for line in lines if line.startswith("  DeepSeek-V3 ")).split()
    assert moe[1:3] == ["671", "B"] and moe[4] == "B" and 36 < float(moe[3]) < 38
    assert lines[-1] == f"{len(lines) - 3} models. What one needs: provision models show NAME"


def test_list_filters_by_every_word(call: Call) -> None:
    names = [one["name"] for one in json.loads(call("models", "list", "--json").out)["models"]]
    found = json.loads(call("models", "list", "LLAMA3.3", "70b", "--json").out)
    assert found["version"] == 1
    assert [one["name"] for one in found["models"]] == ["Llama-3.3-70B-Instruct"]
    assert len(names) > 100 and names == list(dict.fromkeys(names))
    none = call("models", "list", "llama", "no-such-word")
    assert none.code == Exit.ERROR and "llama and no-such-word" in none.err


def test_show_says_what_one_gpu_holds(call: Call) -> None:
    said = call("models", "show", "llama3.1:8b", "--context", "4096", "--parallel", "2")
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert [line for line in lines if len(line) > 100] == []
    assert lines[0] == "Llama-3.1-8B-Instruct in Q4_K_M, from the catalogue"
    assert "One GPU: ollama, context 4,096, 2 requests at a time" in lines
    # 2 x 32 layers x 8 heads x 128 x 2 bytes = 128 KiB; twice 4096 tokens of them are 1 GiB.
    assert any(line.split()[:3] == ["KV", "cache", "128.0"] for line in lines)
    assert any(line.split()[:2] == ["kv-cache", "1.00"] for line in lines)
    at = lines.index("In other quantisations, under the same load")
    names = [line.split()[0] for line in lines[at + 2 :]]
    assert names == ["Q3_K_M", "Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "F16"]


def test_show_adds_up_and_is_a_document(call: Call) -> None:
    words = ("models", "show", "Qwen/Qwen2.5-72B-Instruct-AWQ", "--tensor-parallel", "2")
    plain = json.loads(call(*words, "--context", "8192", "--json").out)
    assert plain["version"] == 1 and plain["load"]["engine"] == "vllm"
    assert plain["model"]["weights"]["quantisation"]["name"] == "AWQ"
    assert len(plain["need"]["gpus"]) == plain["split"]["tensor"] == 2
    text = call(*words, "--context", "8192").out.splitlines()
    (together, *_) = [line.split() for line in text if line.startswith("  together")]
    parts = plain["need"]["gpus"][0]["parts"]
    assert float(together[1]) == pytest.approx(sum(one["bytes"] for one in parts) / GIB, abs=0.01)
    (whole,) = [line.split()[2] for line in text if line.startswith("  all GPUs")]
    both = sum(one["bytes"] for gpu in plain["need"]["gpus"] for one in gpu["parts"])
    assert float(whole) == pytest.approx(both / GIB, abs=0.01)
    assert plain["kv_bytes_per_token"] == 2 * 80 * 8 * 128 * 2
    assert [one["quantisation"] for one in plain["others"]] == ["AWQ", "FP8", "BF16"]
    (own, *_) = plain["others"]
    assert own["weights"] == plain["model"]["weights"]["total"]
    assert own["fullest_gpu"] == max(
        sum(one["bytes"] for one in gpu["parts"]) for gpu in plain["need"]["gpus"]
    )


def test_stages_that_differ_are_all_named(call: Call) -> None:
    said = call("models", "show", "llama3.1:70b", "--pipeline-parallel", "3").out
    assert "The fullest of 3 GPUs, number " in said and "(pipeline 3)" in said
    (row,) = [line for line in said.splitlines() if line.startswith("  GPUs ")]
    assert len(row.replace(",", "").split()) == 5  # GPUs a b c GiB


def test_another_quantisation(call: Call) -> None:
    first = call("models", "show", "llama3.1:8b", "--quantisation", "q8_0").out.splitlines()[0]
    assert first == "Llama-3.1-8B-Instruct in Q8_0, from the catalogue"
    exllama = ("--engine", "tabbyapi", "--quantisation", "EXL3-4.0")
    plain = json.loads(call("models", "show", "owner/Llama-3.1-8B-exl3", *exllama, "--json").out)
    assert plain["model"]["weights"]["quantisation"]["bits"] == 4.0


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (("nobody/unheard-of-7b",), "unheard-of-7b"),
        (("llama3.1:8b", "--quantisation", "Q9_X"), "usual ones: Q3_K_M"),
        (("llama3.1:8b", "--engine", "vllm"), "vllm loads safetensors files"),
        (("llama3.1:8b", "--kv-cache", "fp8"), "ollama has no KV cache of type fp8"),
        (("llama3.1:8b", "--tensor-parallel", "2"), "hint: --pipeline-parallel 2"),
        (("llama3.1:8b", "--pipeline-parallel", "33"), "32 layers, too few for 33"),
        (("llama3.1:8b", "--context", "131073"), "was made for 131,072 tokens"),
        (("Qwen/Qwen2.5-72B-Instruct", "--tensor-parallel", "3"), "64 attention heads, which 3"),
        (("/none/model.gguf",), "/none/model.gguf does not exist"),
    ],
)
def test_what_is_refused_says_why(call: Call, words: tuple[str, ...], rule: str) -> None:
    said = call("models", "show", *words)
    assert (said.code, said.out) == (Exit.ERROR, "")
    assert rule in said.err and "mistake in provision" not in said.err


@pytest.mark.parametrize(
    ("name", "engine"),
    [
        ("llama3.1:8b", "ollama"),
        ("llama3.1", "ollama"),
        ("hf.co/owner/Some-GGUF:Q4_K_M", "ollama"),
        ("Llama-3.1-8B-Instruct-Q4_K_M.gguf", "llama-server"),
        ("meta-llama/Llama-3.1-8B-Instruct", "vllm"),
        ("llama-3.1-8b-instruct", "vllm"),
    ],
)
def test_the_engine_goes_by_the_form_of_the_name(name: str, engine: str) -> None:
    assert engine_of(name) == engine


def test_words_of_quantisations() -> None:
    model = model_asked("llama3.1:8b", None, None).model
    assert quantisation_named("q5_k_m", model, "ollama") == Quantisation("gguf", "Q5_K_M")
    assert quantisation_named("awq", model, "vllm") == Quantisation("safetensors", "AWQ")
    for word in ("EXL2-4.5", "exl2:4.5bpw", "exl2 4.5"):
        assert quantisation_named(word, model, "tabbyapi") == Quantisation("exl2", "EXL2", 4.5)


def test_a_folder_on_this_machine_tells_it_exactly(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers, hidden, heads, kv, ffn, vocab = 2, 64, 4, 2, 128, 256
    folder = tmp_path / "tiny"
    folder.mkdir()
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "num_hidden_layers": layers,
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "num_key_value_heads": kv,
        "intermediate_size": ffn,
        "vocab_size": vocab,
        "max_position_embeddings": 2048,
        "torch_dtype": "bfloat16",
    }
    (folder / "config.json").write_text(json.dumps(config))
    matrices = {"model.embed_tokens": (vocab, hidden), "lm_head": (vocab, hidden)}
    narrow = hidden // heads * kv
    for at in range(layers):
        matrices |= {
            f"model.layers.{at}.self_attn.{name}_proj": (rows, hidden)
            for name, rows in (("q", hidden), ("k", narrow), ("v", narrow), ("o", hidden))
        }
        matrices |= {f"model.layers.{at}.mlp.{name}_proj": (ffn, hidden) for name in ("gate", "up")}
        matrices[f"model.layers.{at}.mlp.down_proj"] = (hidden, ffn)
    tensors: dict[str, tuple[str, Sequence[int], int]] = {
        f"{name}.weight": ("BF16", shape, shape[0] * shape[1] * 2)
        for name, shape in matrices.items()
    }
    norms = ["model.norm"]
    norms += [
        f"model.layers.{at}.{name}_layernorm"
        for at in range(layers)
        for name in ("input", "post_attention")
    ]
    tensors |= {f"{name}.weight": ("BF16", (hidden,), hidden * 2) for name in norms}
    (folder / "model.safetensors").write_bytes(safetensors(tensors))
    size = sum(one[2] for one in tensors.values())

    monkeypatch.chdir(tmp_path)
    plain = json.loads(call("models", "show", "./tiny", "--context", "1024", "--json").out)
    assert plain["model"]["source"] == "files" and plain["load"]["engine"] == "vllm"
    assert plain["model"]["weights"]["total"] == size
    assert plain["model"]["weights"]["error"] == 0.0
    assert plain["kv_bytes_per_token"] == 2 * layers * narrow * 2
    said = call("models", "show", str(folder), "--context", "1024").out
    assert said.splitlines()[0].endswith("in BF16, from its own files")
    assert "GiB, exactly" in said


def test_numbers_in_short() -> None:
    assert [billions(one) for one in (8_030_261_248, 671_000_000_000, 137_000_000)] == [
        "8.0 B",
        "671 B",
        "137 M",
    ]
    assert billions(99_960_000_000) == "100 B"
    assert [tokens_text(one) for one in (131072, 10 << 20, 8192, 4000, None)] == [
        "128K",
        "10M",
        "8K",
        "4,000",
        "",
    ]
