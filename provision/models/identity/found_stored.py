"""How the weights of a folder are stored: its quantization_config, the types of its tensors."""

from __future__ import annotations

from provision.host.facts import ModelFound

from ..weights import Quantisation
from .endings import gptq_name, integer_name
from .keys import Keys

_FLOATS = {"bfloat16": "BF16", "float16": "F16", "float32": "F32", "half": "F16"}
_TYPES = {"BF16": "BF16", "F16": "F16", "F32": "F32", "F8_E4M3": "FP8", "F8_E5M2": "FP8"}
_USUAL_GROUP = 128


def stored_quantisation(found: ModelFound) -> Quantisation | None:
    """None where neither the configuration nor the tensors say it."""
    keys = _quantised_keys(found)
    method = (keys.text("quant_method", "quant_algo") or "").lower().replace("_", "-")
    bits = keys.real("bits", "w_bit")
    if method in ("exl2", "exl3"):
        if bits is None:
            return None
        return Quantisation("exl3" if method == "exl3" else "exl2", method.upper(), bits)
    name = _name(keys, method, int(bits) if bits else None)
    if name is not None:
        group = keys.whole("group_size", "q_group_size", most=1 << 16)
        unusual = name.startswith(("AWQ", "GPTQ", "INT4")) and group != _USUAL_GROUP
        group = _block(found) if name == "FP8" else group if unusual else None
        return Quantisation("safetensors", name, group=group)
    if method:
        return Quantisation("safetensors", method.upper())
    plain = _float(found)
    return Quantisation("safetensors", plain) if plain else None


def _block(found: ModelFound) -> int | None:
    """Width of the blocks that share a scale in FP8 files: [128, 128] of DeepSeek and Qwen."""
    sides = found.lists.get("quantization_config.weight_block_size", ())
    known = [side for side in sides if isinstance(side, int) and 1 < side <= 1 << 16]
    return max(known, default=None)


def _quantised_keys(found: ModelFound) -> Keys:
    """Some models of several parts quantise the language model alone."""
    top = Keys.of(found, "quantization_config.")
    inner = top.below("text_config.quantization_config.")
    return inner if not top.has("quant_method") and inner.has("quant_method") else top


def _name(keys: Keys, method: str, bits: int | None) -> str | None:
    if method == "awq":
        return "AWQ" if bits in (None, 4) else f"AWQ-{bits}"
    if method in ("gptq", "auto-round", "autoround", "intel/auto-round", "inc"):
        return gptq_name(bits or 4)
    if method == "fbgemm-fp8":
        return "FP8-FBGEMM"
    if method in ("fp8", "mxfp4"):
        return method.upper()
    if method == "bitsandbytes":
        return "BNB-4" if keys.flag("load_in_4bit", "_load_in_4bit") is True else "BNB-8"
    if method == "compressed-tensors":
        return _compressed(keys)
    if method in ("modelopt", "modelopt-fp4", "quark", "nvfp4"):
        algorithm = (keys.text("quant_algo") or method).upper()
        if "FP4" in algorithm:
            return "MXFP4" if "MX" in algorithm else "NVFP4"
        return "FP8" if "FP8" in algorithm or method == "quark" else None
    return None


def _compressed(keys: Keys) -> str | None:
    """By the weights of the first group; a second one is for single layers."""
    group = keys.below(f"{keys.prefix}config_groups.group_0.weights.")
    bits, kind = group.whole("num_bits", most=16), group.text("type")
    told = keys.text("format") or ""
    if "nvfp4" in told:
        return "NVFP4"
    if "mxfp4" in told:
        return "MXFP4"
    if kind == "float":
        return {8: "FP8", 4: "NVFP4"}.get(bits or 0)
    return integer_name(bits) if kind == "int" and bits in (4, 8) else None


def _float(found: ModelFound) -> str | None:
    """The type that most bytes of the tensors are of, else what the configuration says."""
    known = {name: size for name, size in found.weights.items() if name in _TYPES and size > 0}
    if known:
        return _TYPES[max(sorted(known), key=lambda name: known[name])]
    top = Keys.of(found)
    told = top.text("torch_dtype", "dtype") or top.text(
        "text_config.torch_dtype", "text_config.dtype"
    )
    return _FLOATS.get((told or "").removeprefix("torch."))
