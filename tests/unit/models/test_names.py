"""References in all their spellings: what the catalogue is asked for, and the quantisation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.models.identity.endings import split_ending
from provision.models.identity.names import parse
from provision.models.weights import Quantisation


def _gguf(name: str) -> Quantisation:
    return Quantisation("gguf", name)


def _tensors(name: str, group: int | None = None) -> Quantisation:
    return Quantisation("safetensors", name, group=group)


@pytest.mark.parametrize(
    ("reference", "name", "stored"),
    [
        ("llama3.1:8b", "llama3.1:8b", None),
        ("llama3.1:70b-instruct-q4_K_M", "llama3.1:70b", _gguf("Q4_K_M")),
        ("qwen2.5-coder:32b-instruct-q5_K_M", "qwen2.5-coder:32b-instruct", _gguf("Q5_K_M")),
        ("llama3:8b-instruct-fp16", "llama3:8b", _gguf("F16")),
        ("llama2:70b-chat-q4_0", "llama2:70b", _gguf("Q4_0")),
        ("llama3.1:q8_0", "llama3.1", _gguf("Q8_0")),
        ("gpt-oss:20b", "gpt-oss:20b", None),
        ("nomic-embed-text", "nomic-embed-text", None),
        ("nomic-embed-text:latest", "nomic-embed-text:latest", None),
        ("registry.ollama.ai/library/llama3.1:8b", "llama3.1:8b", None),
        ("library/llama3.1:8b", "llama3.1:8b", None),
        ("LLAMA3.1:8B-Instruct-Q4_k_m", "llama3.1:8b", _gguf("Q4_K_M")),
        ("deepseek-r1:70b-llama-distill-q8_0", "DeepSeek-R1-Distill-Llama-70B", _gguf("Q8_0")),
        ("deepseek-r1:1.5b-qwen-distill-fp16", "DeepSeek-R1-Distill-Qwen-1.5B", _gguf("F16")),
        (
            "hf.co/bartowski/Llama-3.2-3B-Instruct-GGUF:Q4_K_M",
            "Llama-3.2-3B-Instruct",
            _gguf("Q4_K_M"),
        ),
        (
            "huggingface.co/bartowski/Llama-3.2-3B-Instruct-GGUF:IQ3_M",
            "bartowski/Llama-3.2-3B-Instruct",
            _gguf("IQ3_M"),
        ),
    ],
)
def test_ollama(reference: str, name: str, stored: Quantisation | None) -> None:
    said = parse(reference, "ollama")
    assert name in said.names
    assert (said.quantisation, said.format, said.unclear) == (stored, "gguf", None)


def test_whole_tag_is_asked_for_before_its_parts() -> None:
    said = parse("gemma3:27b-it-qat", "ollama")
    assert said.names[0] == "gemma3:27b-it-qat"
    assert said.names[-1] == "gemma3:27b"
    assert said.aware


@pytest.mark.parametrize(
    ("reference", "official", "remote"),
    [
        ("llama3.1:8b", True, False),
        ("someone/llama3.1:8b", False, False),
        ("registry.example.org/library/llama3.1:8b", False, False),
        ("hf.co/a/b-GGUF", False, False),
        ("gpt-oss:120b-cloud", True, True),
        ("kimi-k2:cloud", True, True),
    ],
)
def test_whose_tag_it_is(reference: str, official: bool, remote: bool) -> None:
    said = parse(reference, "ollama")
    assert (said.official, said.remote) == (official, remote)


@pytest.mark.parametrize(
    ("reference", "name", "stored"),
    [
        ("meta-llama/Llama-3.3-70B-Instruct", "Llama-3.3-70B-Instruct", None),
        ("casperhansen/llama-3.3-70b-instruct-awq", "llama-3.3-70b-instruct", _tensors("AWQ")),
        (
            "hugging-quants/Meta-Llama-3.1-8B-Instruct-AWQ-INT4",
            "Llama-3.1-8B-Instruct",
            _tensors("AWQ"),
        ),
        (
            "neuralmagic/Mixtral-8x22B-Instruct-v0.1-FP8",
            "Mixtral-8x22B-Instruct-v0.1",
            _tensors("FP8"),
        ),
        ("RedHatAI/Qwen3-8B-FP8-dynamic", "Qwen3-8B", _tensors("FP8")),
        ("RedHatAI/Qwen3-8B-FP8-block", "Qwen3-8B", _tensors("FP8")),
        (
            "RedHatAI/Meta-Llama-3.1-70B-Instruct-quantized.w4a16",
            "Meta-Llama-3.1-70B-Instruct",
            _tensors("INT4"),
        ),
        ("RedHatAI/gemma-2-9b-it-quantized.w8a8", "gemma-2-9b-it", _tensors("INT8")),
        ("RedHatAI/gemma-2-9b-it-quantized.w8a16", "gemma-2-9b-it", _tensors("INT8")),
        ("x/Llama-3.2-1B-Instruct-W4A16-G64", "Llama-3.2-1B-Instruct", _tensors("INT4", 64)),
        ("TheBloke/Llama-2-70B-Chat-GPTQ", "Llama-2-70B-Chat", _tensors("GPTQ")),
        ("TheBloke/Llama-2-70B-Chat-GPTQ@main", "Llama-2-70B-Chat", _tensors("GPTQ")),
        (
            "TheBloke/Llama-2-70B-Chat-GPTQ@gptq-4bit-32g-actorder_True",
            "Llama-2-70B-Chat",
            _tensors("GPTQ", 32),
        ),
        ("Qwen/Qwen2.5-72B-Instruct-GPTQ-Int4", "Qwen2.5-72B-Instruct", _tensors("GPTQ")),
        ("Qwen/Qwen2.5-72B-Instruct-GPTQ-Int8", "Qwen2.5-72B-Instruct", _tensors("GPTQ-8")),
        ("Intel/Qwen3-8B-int4-AutoRound", "Qwen3-8B", _tensors("GPTQ")),
        ("unsloth/Llama-3.2-3B-Instruct-bnb-4bit", "Llama-3.2-3B-Instruct", _tensors("BNB-4")),
        ("nvidia/Llama-3.3-70B-Instruct-FP4", "Llama-3.3-70B-Instruct", _tensors("NVFP4")),
        ("nvidia/Llama-3.3-70B-Instruct-NVFP4", "Llama-3.3-70B-Instruct", _tensors("NVFP4")),
        ("amd/Llama-3.3-70B-Instruct-MXFP4", "Llama-3.3-70B-Instruct", _tensors("MXFP4")),
        ("unsloth/gpt-oss-20b-BF16", "gpt-oss-20b", _tensors("BF16")),
        ("google/gemma-3-27b-it-qat-q4_0-unquantized", "gemma-3-27b-it", None),
        ("meta-llama/Llama-2-7b-hf", "Llama-2-7b", None),
        ("unsloth/Qwen3-0.6B-GGUF:Q4_K_M", "Qwen3-0.6B", _gguf("Q4_K_M")),
        ("unsloth/Qwen3-0.6B-GGUF:UD-Q4_K_XL", "Qwen3-0.6B", _gguf("UD-Q4_K_XL")),
        ("mradermacher/Qwen3-0.6B-i1-GGUF:q4_k_s", "Qwen3-0.6B", _gguf("Q4_K_S")),
        (
            "turboderp/Llama-3.1-8B-Instruct-exl3@4.0bpw",
            "Llama-3.1-8B-Instruct",
            Quantisation("exl3", "EXL3", 4.0),
        ),
        (
            "turboderp/Llama-3.1-8B-Instruct-exl3_4.0bpw",
            "Llama-3.1-8B-Instruct",
            Quantisation("exl3", "EXL3", 4.0),
        ),
        (
            "LoneStriker/Mixtral-8x7B-4.65bpw-h6-exl2",
            "Mixtral-8x7B",
            Quantisation("exl2", "EXL2", 4.65),
        ),
        (
            "bartowski/Llama-3.2-3B-Instruct-exl2@6_5",
            "Llama-3.2-3B-Instruct",
            Quantisation("exl2", "EXL2", 6.5),
        ),
    ],
)
def test_hub(reference: str, name: str, stored: Quantisation | None) -> None:
    said = parse(reference, "vllm")
    assert name in said.names
    assert said.quantisation == stored
    assert (said.kind, said.unclear) == ("hub", None)


@pytest.mark.parametrize(
    ("reference", "name", "stored"),
    [
        (
            "/srv/models/Qwen2.5-Coder-32B-Instruct-Q6_K.gguf",
            "Qwen2.5-Coder-32B-Instruct",
            _gguf("Q6_K"),
        ),
        ("/srv/Foo-70B-Q4_K_M-00001-of-00003.gguf", "Foo-70B", _gguf("Q4_K_M")),
        (
            "/srv/mixtral-8x7b-instruct-v0.1.Q4_K_M.gguf",
            "mixtral-8x7b-instruct-v0.1",
            _gguf("Q4_K_M"),
        ),
        ("/srv/Foo-7B.i1-IQ2_XXS.gguf", "Foo-7B", _gguf("IQ2_XXS")),
        ("/srv/Foo-7B-BF16.gguf", "Foo-7B", _gguf("BF16")),
        ("/srv/Foo-7B-Q4_K.gguf", "Foo-7B", _gguf("Q4_K_M")),
        ("/srv/gpt-oss-20b-mxfp4.gguf", "gpt-oss-20b", _gguf("MXFP4")),
        ("/srv/google_gemma-3-27b-it-IQ4_XS.gguf", "google/gemma-3-27b-it", _gguf("IQ4_XS")),
        ("/srv/Foo-7B.gguf", "Foo-7B", None),
        ("/srv/models/Qwen2.5-72B-Instruct-FP8", "Qwen2.5-72B-Instruct", _tensors("FP8")),
        ("/srv/models/Qwen2.5-72B-Instruct/", "Qwen2.5-72B-Instruct", None),
        ("/srv/Foo-7B/model.safetensors", "Foo-7B", None),
        ("/srv/Foo-7B-exl3/4.0bpw", "Foo-7B", Quantisation("exl3", "EXL3", 4.0)),
        ("/c/hub/models--Qwen--Qwen2.5-7B-Instruct-AWQ", "Qwen/Qwen2.5-7B-Instruct",
         _tensors("AWQ")),
        ("/c/hub/models--Qwen--Qwen2.5-7B/snapshots/d149729398750b98", "Qwen/Qwen2.5-7B", None),
        (
            "/o/models/manifests/registry.ollama.ai/library/llama3.1/8b-instruct-q8_0",
            "llama3.1:8b",
            _gguf("Q8_0"),
        ),
    ],
)  # fmt: skip
def test_path(reference: str, name: str, stored: Quantisation | None) -> None:
    said = parse(reference, "llama-server")
    assert name in said.names
    assert (said.quantisation, said.unclear) == (stored, None)


@pytest.mark.parametrize(
    "name",
    ["Llama-3.1-8B-Instruct-abliterated", "SuperLlama-8B-v2", "Foo-7B-roleplay", "Falcon-H1-34B",
     "Mixtral-8x7B-Instruct-v0.1", "gemma-2-9b-it", "phi-4-mini", "Qwen2.5-7B-1M"],
)  # fmt: skip
def test_words_of_a_model_stay(name: str) -> None:
    ending = split_ending(f"{name}-AWQ")
    assert ending.base == name
    assert split_ending(name).base == name


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Foo-7B-4bit", "its name says 4 bits and not by which method"),
        ("Foo-7B-exl2", "its name says exl2 and not how many bits a weight has"),
        ("Foo-7B-0.1bpw-exl2", "its name says exl2 and not how many bits a weight has"),
        ("Foo-7B-unsloth-bnb-4bit", "is a way of storing weights that is not known here"),
        ("Foo-7B-HQQ-4bit", "hqq in its name is a way of storing weights"),
    ],
)
def test_words_that_do_not_say_enough(name: str, why: str) -> None:
    ending = split_ending(name)
    assert ending.quantisation is None
    assert ending.unclear is not None
    assert why in ending.unclear
    assert ending.base == "Foo-7B"


@given(st.text(max_size=700), st.sampled_from(["ollama", "vllm", "llama-server", "tabbyapi"]))
def test_any_text_is_parsed(text: str, engine: str) -> None:
    said = parse(text, engine)
    assert all(said.names)
    assert len(set(said.names)) == len(said.names)
