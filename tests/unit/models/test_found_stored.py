"""How weights are stored, by config.json."""

from __future__ import annotations

import dataclasses

import pytest

from provision.models.identity.found_stored import stored_quantisation
from provision.models.weights import Quantisation

from .headers import LLAMA, config_json


def _stored(**keys: object) -> Quantisation | None:
    return stored_quantisation(config_json(quantization_config=keys, torch_dtype="float16"))


@pytest.mark.parametrize(
    ("keys", "name", "group"),
    [
        ({"quant_method": "awq", "bits": 4, "group_size": 128}, "AWQ", None),
        ({"quant_method": "awq", "bits": 4, "group_size": 64}, "AWQ", 64),
        ({"quant_method": "gptq", "bits": 4, "group_size": 32}, "GPTQ", 32),
        ({"quant_method": "gptq", "bits": 8, "group_size": 128}, "GPTQ-8", None),
        ({"quant_method": "fp8", "weight_block_size": [128, 128]}, "FP8", 128),
        ({"quant_method": "fp8"}, "FP8", None),
        ({"quant_method": "fbgemm_fp8"}, "FP8-FBGEMM", None),
        ({"quant_method": "mxfp4"}, "MXFP4", None),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "BNB-4", None),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, "BNB-8", None),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, "NVFP4", None),
        ({"quant_method": "modelopt", "quant_algo": "FP8"}, "FP8", None),
        ({"quant_method": "hqq"}, "HQQ", None),
        ({}, "F16", None),
    ],
)
def test_config_quantisation(keys: dict[str, object], name: str, group: int | None) -> None:
    assert _stored(**keys) == Quantisation("safetensors", name, group=group)


@pytest.mark.parametrize(
    ("weights", "format_", "name"),
    [
        ({"num_bits": 4, "type": "int", "group_size": 128}, "pack-quantized", "INT4"),
        ({"num_bits": 8, "type": "int"}, "int-quantized", "INT8"),
        ({"num_bits": 8, "type": "float"}, "float-quantized", "FP8"),
        ({"num_bits": 4, "type": "float"}, "nvfp4-pack-quantized", "NVFP4"),
    ],
)
def test_config_of_compressed_tensors(weights: dict[str, object], format_: str, name: str) -> None:
    told = _stored(
        quant_method="compressed-tensors",
        format=format_,
        config_groups={"group_0": {"weights": weights}},
    )
    assert told is not None
    assert told.name == name


@pytest.mark.parametrize("kind", ["exl2", "exl3"])
def test_config_of_exllama(kind: str) -> None:
    assert _stored(quant_method=kind, bits=4.25) == Quantisation(
        "exl3" if kind == "exl3" else "exl2", kind.upper(), 4.25
    )
    assert _stored(quant_method=kind) is None


def test_tensors_speak_louder_than_the_configuration() -> None:
    found = dataclasses.replace(config_json(**LLAMA), weights={"F32": 10, "F16": 90})
    assert stored_quantisation(found) == Quantisation("safetensors", "F16")
