"""Safetensors files and the folders of models that they make up."""

from __future__ import annotations

import json
import struct

import pytest

from provision.host.facts import ModelFound
from provision.host.inspect.models import read_model
from provision.host.inspect.models.packing import weights_in

from .files import Host, safetensors, with_header

CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "_name_or_path": "example/tiny",
    "num_hidden_layers": 2,
    "hidden_size": 64,
    "rope_scaling": {"factor": 8.0, "rope_type": "llama3"},
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "sliding_window": None,
    "id2label": {"0": "A"},
}
Tensors = dict[str, tuple[str, tuple[int, ...], int]]
FIRST: Tensors = {"model.embed_tokens.weight": ("BF16", (100, 64), 12_800)}
SECOND: Tensors = {
    "model.norm.weight": ("BF16", (64,), 128),
    "lm_head.weight": ("F32", (2, 64), 512),
}


def read(host: Host, path: str) -> ModelFound:
    found = read_model(host.source, path)
    assert found is not None
    return found


def weighed(found: ModelFound) -> tuple[int | None, int | None, int | None]:
    return found.parameters, found.weight_bytes, found.files


def test_a_folder(host: Host) -> None:
    host.file("/srv/tiny/config.json", CONFIG)
    host.file("/srv/tiny/model.safetensors", safetensors(FIRST | SECOND, {"format": "pt"}))
    for path in ("/srv/tiny", "/srv/tiny/"):
        assert read(host, path) == ModelFound(
            format="safetensors",
            architecture="LlamaForCausalLM",
            name="example/tiny",
            parameters=6400 + 64 + 128,
            weight_bytes=12_800 + 128 + 512,
            weights={"BF16": 12_928, "F32": 512},
            largest_tensor_bytes=12_800,
            settings={
                "_name_or_path": "example/tiny",
                "num_hidden_layers": 2,
                "hidden_size": 64,
                "rope_scaling.factor": 8.0,
                "rope_scaling.rope_type": "llama3",
                "tie_word_embeddings": False,
                "torch_dtype": "bfloat16",
            },
            lists={"architectures": ("LlamaForCausalLM",)},
            files=1,
        )


def test_parts_by_the_index(host: Host) -> None:
    table = dict.fromkeys(FIRST, "model-00001-of-00002.safetensors")
    table |= dict.fromkeys(SECOND, "model-00002-of-00002.safetensors")
    host.file("/m/config.json", CONFIG)
    host.file(
        "/m/model.safetensors.index.json",
        {"metadata": {"total_size": 13_440}, "weight_map": table},
    )
    host.file("/m/model-00001-of-00002.safetensors", safetensors(FIRST))
    # A second copy of all weights, as Mistral publishes them, is not loaded besides.
    host.file("/m/consolidated.safetensors", safetensors(FIRST | SECOND))
    found = read(host, "/m")
    assert found.missing == ("model-00002-of-00002.safetensors",)
    assert weighed(found) == (None, 13_440, 1)
    assert found.weights == {}
    host.file("/m/model-00002-of-00002.safetensors", safetensors(SECOND))
    found = read(host, "/m")
    assert weighed(found) == (6592, 13_440, 2)
    assert (found.missing, found.problem) == ((), None)


def test_a_part_that_is_a_link_into_nothing_is_missing(host: Host) -> None:
    host.file("/m/config.json", CONFIG)
    host.link("/m/model.safetensors", "../blobs/gone")
    found = read(host, "/m")
    assert found.missing == ("model.safetensors",)
    assert weighed(found) == (None, None, 0)


def test_parts_without_an_index_are_counted_by_their_names(host: Host) -> None:
    host.file("/m/config.json", CONFIG)
    host.file("/m/model-00003-of-00003.safetensors", safetensors(FIRST))
    found = read(host, "/m")
    assert found.missing == (
        "model-00001-of-00003.safetensors",
        "model-00002-of-00003.safetensors",
    )
    assert found.weight_bytes is None


@pytest.mark.parametrize("second", ["consolidated.safetensors", "adapter_model.safetensors"])
def test_second_copies_do_not_count(host: Host, second: str) -> None:
    host.file("/m/config.json", CONFIG)
    host.file(f"/m/{second}", safetensors(SECOND))
    assert weighed(read(host, "/m")) == (192, 640, 1)
    host.file("/m/model.safetensors", safetensors(FIRST))
    assert weighed(read(host, "/m")) == (6400, 12_800, 1)


def test_an_index_that_leads_out_of_the_folder(host: Host) -> None:
    host.file("/secret.safetensors", safetensors(FIRST))
    host.file("/m/config.json", CONFIG)
    table = {"weight_map": {"a": "../secret.safetensors"}}
    host.file("/m/model.safetensors.index.json", table)
    found = read(host, "/m")
    assert found.problem == (
        "model.safetensors.index.json names '../secret.safetensors', "
        "which is no file of this folder"
    )
    assert "/secret.safetensors" not in " ".join(host.source.opened)
    assert found.weight_bytes is None


@pytest.mark.parametrize("index", ["[]", "{", '{"weight_map": 3}', '{"weight_map": {"a": 3}}'])
def test_a_broken_index_is_as_none(host: Host, index: str) -> None:
    host.file("/m/config.json", CONFIG)
    host.file("/m/model.safetensors.index.json", index)
    host.file("/m/model-00001-of-00001.safetensors", safetensors(FIRST))
    assert weighed(read(host, "/m")) == (6400, 12_800, 1)


@pytest.mark.parametrize("config", ["", "{", "[]", "null", "[" * 100_000, '{"a": 1e999}{'])
def test_a_broken_config(host: Host, config: str) -> None:
    host.file("/m/config.json", config)
    host.file("/m/model.safetensors", safetensors(FIRST))
    found = read(host, "/m")
    assert found.problem == "config.json cannot be read"
    assert found.weight_bytes == 12_800


def test_a_folder_with_its_config_alone(host: Host) -> None:
    host.file("/m/config.json", CONFIG)
    found = read(host, "/m")
    assert (found.format, found.files, found.weight_bytes) == ("config", 0, None)
    assert found.settings["hidden_size"] == 64


def test_weights_without_a_config(host: Host) -> None:
    host.file("/m/model.safetensors", safetensors(FIRST))
    found = read(host, "/m")
    assert found.problem == "it has no config.json"
    assert found.weight_bytes == 12_800


def test_an_adapter(host: Host) -> None:
    host.file("/m/adapter_config.json", {"r": 16, "base_model_name_or_path": "example/tiny"})
    host.file("/m/adapter_model.safetensors", safetensors(SECOND))
    found = read(host, "/m")
    assert (found.name, found.settings["r"], found.weight_bytes) == ("example/tiny", 16, 640)


def test_a_folder_of_mistrals_own_form(host: Host) -> None:
    host.file("/m/params.json", {"dim": 64, "n_layers": 2})
    host.file("/m/consolidated.safetensors", safetensors(FIRST))
    found = read(host, "/m")
    assert found.settings == {"dim": 64, "n_layers": 2}
    assert weighed(found) == (6400, 12_800, 1)


def test_pickled_weights_are_known_by_their_length(host: Host) -> None:
    host.file("/m/config.json", CONFIG)
    host.file("/m/pytorch_model-00001-of-00002.bin", b"x" * 500)
    host.file("/m/training_args.bin", b"x" * 70)
    host.file("/m/optimizer.pt", b"x" * 7000)
    found = read(host, "/m")
    assert (found.format, found.weight_bytes, found.files) == ("pytorch", None, 1)
    assert found.missing == ("pytorch_model-00002-of-00002.bin",)
    host.file("/m/pytorch_model-00002-of-00002.bin", b"x" * 300)
    assert weighed(read(host, "/m")) == (None, 800, 2)
    names = [f"pytorch_model-0000{part}-of-00002.bin" for part in (1, 2)]
    index = {"metadata": {"total_size": 790}, "weight_map": dict(zip("ab", names, strict=True))}
    host.file("/m/pytorch_model.bin.index.json", index)
    assert weighed(read(host, "/m")) == (None, 790, 2)
    opened = {path for path in host.source.opened if path.endswith((".bin", ".pt"))}
    assert opened == set()


def test_nested_keys_and_lists(host: Host) -> None:
    config = {
        "architectures": ["Gemma3ForConditionalGeneration"],
        "text_config": {
            "hidden_size": 2560,
            "layer_types": ["sliding_attention"] * 256,
            "num_key_value_heads": [4, 8],
            "deep": {"a": {"b": {"c": {"d": {"e": 1}}}}},
        },
        "quantization_config": {
            "quant_method": "compressed-tensors",
            "config_groups": {"group_0": {"weights": {"num_bits": 4, "group_size": 128}}},
            "ignore": ["lm_head"],
        },
        "too_long": [1] * 257,
        "mixed": [1, None],
        "nested": [[1]],
        "empty": [],
        "flags": [True, False],
        "huge": 10**30,
        "text": "x" * 300,
        "\ud800": "\ud800",
        "k" * 129: 1,
    }
    host.file("/m/config.json", json.dumps(config))
    found = read(host, "/m")
    assert found.lists == {
        "architectures": ("Gemma3ForConditionalGeneration",),
        "text_config.layer_types": ("sliding_attention",) * 256,
        "text_config.num_key_value_heads": (4, 8),
        "quantization_config.ignore": ("lm_head",),
        "flags": (1, 0),
    }
    assert found.settings == {
        "text_config.hidden_size": 2560,
        "quantization_config.quant_method": "compressed-tensors",
        "quantization_config.config_groups.group_0.weights.num_bits": 4,
        "quantization_config.config_groups.group_0.weights.group_size": 128,
        "\ufffd": "\ufffd",
    }


@pytest.mark.parametrize(
    ("name", "content", "method"),
    [
        ("hf_quant_config.json", {"quantization": {"quant_algo": "NVFP4"}}, "modelopt"),
        ("quantize_config.json", {"bits": 4, "group_size": 128}, "gptq"),
        ("quant_config.json", {"w_bit": 4, "version": "GEMM"}, "awq"),
    ],
)
def test_quantisation_told_in_a_file_of_its_own(
    host: Host, name: str, content: dict[str, object], method: str
) -> None:
    host.file("/m/config.json", CONFIG)
    host.file(f"/m/{name}", content)
    settings = read(host, "/m").settings
    assert settings["quantization_config.quant_method"] == method
    part = content.get("quantization", content)
    assert isinstance(part, dict)
    assert all(settings[f"quantization_config.{key}"] == one for key, one in part.items())
    host.file("/m/config.json", CONFIG | {"quantization_config": {"quant_method": "fp8"}})
    assert read(host, "/m").settings["quantization_config.quant_method"] == "fp8"


def test_packed_weights_are_counted_one_by_one(host: Host) -> None:
    host.file("/m/config.json", CONFIG | {"quantization_config": {"bits": 4}})
    tensors = {
        "q_proj.qweight": ("I32", (8, 64), 2048),
        "q_proj.qzeros": ("I32", (1, 8), 32),
        "q_proj.scales": ("F16", (1, 64), 128),
        "q_proj.g_idx": ("I32", (64,), 256),
    }
    host.file("/m/model.safetensors", safetensors(tensors))
    assert weighed(read(host, "/m")) == (64 * 64, 2464, 1)


@pytest.mark.parametrize(
    ("name", "dtype", "shape", "bits", "weights"),
    [
        ("w.weight", "F8_E4M3", (4, 8), None, 32),
        ("w.weight_scale_inv", "F32", (1, 1), None, 0),
        ("w.weight", "U8", (16, 1), 4, 32),
        ("w.weight.absmax", "F32", (1,), 4, 0),
        ("w.weight.quant_state.bitsandbytes__nf4", "U8", (90,), 4, 0),
        ("mlp.experts.down_proj_blocks", "U8", (2, 4, 1, 16), None, 256),
        ("mlp.experts.down_proj_scales", "U8", (2, 4, 1), None, 0),
        ("w.weight_packed", "I32", (4, 2), 4, 64),
        ("w.qweight", "I32", (3, 4), 3, 128),
        ("w.qweight", "I32", (3, 4), None, None),
        ("w.trellis", "I16", (4, 8, 64), None, 16 * 16 * 32),
        ("w.suh", "F16", (64,), None, 0),
        ("w.q_weight", "I32", (10, 64), None, None),
        ("w.q_scale", "I32", (10, 8), None, 0),
        ("w.weight", "I8", (4, 8), 8, 32),
        ("w.codes", "I16", (4, 8), None, None),
        ("rotary.inv_freq", "F32", (32,), None, 0),
    ],
)
def test_weights_in_a_tensor(
    name: str, dtype: str, shape: tuple[int, ...], bits: int | None, weights: int | None
) -> None:
    assert weights_in(name, dtype, shape, bits) == weights


def test_a_packing_that_is_not_known_leaves_their_number_unknown(host: Host) -> None:
    host.file("/m/config.json", CONFIG | {"quantization_config": {"quant_method": "exl2"}})
    tensors: Tensors = SECOND | {"q_proj.q_weight": ("I32", (8, 64), 2048)}
    host.file("/m/model.safetensors", safetensors(tensors))
    assert weighed(read(host, "/m")) == (None, 2688, 1)


def test_a_single_file(host: Host) -> None:
    path = host.file("/srv/lora.safetensors", safetensors(SECOND))
    found = read(host, path)
    assert (found.format, *weighed(found), found.problem) == ("safetensors", 192, 640, 1, None)


def test_a_file_that_is_cut_off(host: Host) -> None:
    content = safetensors(FIRST)
    host.file("/m/config.json", CONFIG)
    host.file("/m/model.safetensors", content[:-1])
    found = read(host, "/m")
    assert found.problem == (
        f"model.safetensors: it has {len(content) - 1} bytes, its tensors need {len(content)}: "
        "not fully downloaded"
    )
    assert found.weight_bytes == 12_800


def one(**changes: object) -> bytes:
    tensor = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **changes}
    return with_header(json.dumps({"a": tensor}).encode(), 64)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "it is empty"),
        (b"abc", "it is no safetensors file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "it is a pointer of Git LFS"),
        (struct.pack("<Q", 2**63) + b"{}", "it is no safetensors file, or its header is cut off"),
        (struct.pack("<Q", 1000) + b"{}", "or its header is cut off"),
        (with_header(b"[]"), "it is no safetensors file"),
        (with_header(b"{]"), "its header is no JSON"),
        (with_header(b'{"a":' * 100_000), "its header is no JSON"),
        (with_header(b'{"a": ' + b"9" * 5000 + b"}"), "a in it is not described"),
        (with_header(b'{"a": "\xff"}'), "its header is no JSON"),
        (with_header(b'{"a": 3}'), "tensor a in it is not described"),
        (one(dtype=3), "tensor a in it is not described"),
        (one(shape=[3]), "tensor a in it has the wrong length"),
        (one(shape="12"), "tensor a in it is not described"),
        (one(shape=[-1]), "tensor a in it is not described"),
        (one(shape=[True]), "tensor a in it is not described"),
        (one(shape=[2**63]), "tensor a in it is not described"),
        (one(data_offsets=[8]), "tensor a in it is not described"),
        (one(data_offsets=[8, 0]), "tensor a in it has the wrong length"),
        (one(data_offsets=[0, 9]), "tensor a in it has the wrong length"),
    ],
)
def test_what_is_no_safetensors_file(host: Host, content: bytes, problem: str) -> None:
    if b"999999" in content:  # Python from 3.10.7 refuses such a number itself
        problem = "it"
    found = read(host, host.file("/srv/a.safetensors", content))
    assert problem in (found.problem or "")
    assert (found.weight_bytes, found.parameters, found.weights) == (None, None, {})


def test_a_header_beyond_all_measure_is_not_read(host: Host) -> None:
    place = host.root / "srv/a.safetensors"
    place.parent.mkdir()
    with place.open("wb") as file:
        file.write(struct.pack("<Q", 20 << 20))
        file.truncate(32 << 20)
    found = read(host, "/srv/a.safetensors")
    assert found.problem == ("a.safetensors: its header of 20971520 bytes is longer than 16 MiB")
    assert host.source.opened["/srv/a.safetensors"] <= 1 << 20


def test_types_without_number_do_not_fill_the_facts(host: Host) -> None:
    table = {f"t{at}": (f"X{at}", (1,), 1) for at in range(100)}
    found = read(host, host.file("/srv/a.safetensors", safetensors(table)))
    assert found.problem == "a.safetensors: its tensors are of more than 64 types"
    few = {f"t{at}": ("F8_NEW", (1,), 1) for at in range(100)}
    found = read(host, host.file("/srv/b.safetensors", safetensors(few)))
    assert (found.weights, found.parameters) == ({"F8_NEW": 100}, None)
