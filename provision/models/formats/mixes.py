"""Mixes: which GGML type each tensor gets when llama.cpp quantises to Q4_K_M and the like.

Source: llama_tensor_get_type_impl and tensor_allows_quantization in llama.cpp's llama-quant.cpp,
as published files show them (2024 to 2026).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..shape import Shape
from ..tensors import Tensor, tensors
from .ggml import TYPES, GgmlType, fitting
from .mixnames import Mix

_NEVER = ("ffn_gate_inp", "position_embd", "token_types", "ssm_conv1d", "attn_sinks")
_DOWN = ("ffn_down", "ffn_down_exps", "ffn_down_shexp")
_WIDE = ("ffn_gate", "ffn_up", "ffn_gate_exps", "ffn_up_exps", "ffn_gate_shexp", "ffn_up_shexp")
_STACKED = ("attn_k_b", "attn_v_b")  # three dimensions, as experts have


@dataclass(frozen=True, slots=True)
class _Place:
    """A tensor and what its rule may depend on."""

    mix: Mix
    shape: Shape
    layer: int
    value: int  # which attn_v or attn_qkv of the model this is or would be next
    values: int  # how many the model has
    down: int  # which ffn_down of the model this is or would be next

    @property
    def early(self) -> bool:
        return self.layer < self.shape.layers // 8

    @property
    def eight(self) -> bool:
        """Mixtral: its few attention tensors get more bits."""
        return self.shape.experts is not None and self.shape.experts.count == 8

    @property
    def grouped(self) -> bool:
        return self.shape.kv_heads > 0 and self.shape.heads // self.shape.kv_heads >= 4

    @property
    def falcon(self) -> bool:
        return self.shape.architecture == "falcon"


def typed(shape: Shape, mix: Mix) -> Iterator[tuple[Tensor, GgmlType]]:
    """Every tensor of a model with the type that it has in a file of this mix."""
    listed = tuple(tensors(shape))
    has_head = any(tensor.name == "output" for tensor in listed)
    values = sum(tensor.name in ("attn_v", "attn_qkv") for tensor in listed)
    value = down = 0
    for tensor in listed:
        place = _Place(mix, shape, tensor.layer or 0, value, values, down)
        yield tensor, _type(tensor, place, has_head)
        value += tensor.name in ("attn_v", "attn_qkv")
        down += tensor.name in _DOWN


def _type(tensor: Tensor, place: _Place, has_head: bool) -> GgmlType:
    if not _quantised(tensor):
        return TYPES["F32"]
    mix = place.mix
    if tensor.experts > 1 and (mix.experts or place.shape.architecture == "gpt-oss"):
        # gpt-oss is published with MXFP4 experts; its files keep them, whatever their name says.
        return TYPES[mix.experts or "MXFP4"]
    if not mix.quantises:
        return TYPES[mix.default]
    if tensor.name == "output" or (tensor.name == "token_embd" and not has_head):
        return fitting(TYPES[mix.ends or _head(tensor, place)], tensor.columns)
    if mix.name == "MXFP4":
        stacked = tensor.experts > 1 or tensor.name in _STACKED
        return fitting(TYPES["MXFP4" if stacked else "Q8_0"], tensor.columns)
    if tensor.name == "token_embd":
        return fitting(TYPES[mix.ends or _TABLE.get(mix.name, mix.default)], tensor.columns)
    return fitting(TYPES[_middle(tensor.name, place)], tensor.columns)


def _quantised(tensor: Tensor) -> bool:
    """Vectors, norms, biases and what is small and sensitive stay as they are converted: F32."""
    if tensor.rows == 1 or tensor.name.endswith((".bias", "_norm")):
        return False
    return tensor.name not in _NEVER


_TABLE = {
    **dict.fromkeys(("IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS"), "Q2_K"),
    **dict.fromkeys(("IQ2_S", "IQ2_M", "IQ3_XXS"), "IQ3_S"),
    **dict.fromkeys(("TQ1_0", "TQ2_0"), "Q4_K"),
}
_TINY = ("IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ2_M")


def _head(tensor: Tensor, place: _Place) -> str:
    """The head, or the input table that serves as one."""
    mix = place.mix
    unfit = not TYPES[mix.default].fits(tensor.columns)
    if mix.name == "MXFP4" or place.falcon or unfit or mix.default == "Q8_0":
        return "Q8_0"
    return "Q5_K" if mix.name in (*_TINY, "IQ3_XXS") else "Q6_K"


def _middle(name: str, place: _Place) -> str:
    """The type of a matrix in a layer before its width is looked at."""
    if place.mix.name in _TINY:
        return _tiny(name, place)
    if name == "attn_v":
        return _value(place)
    if name == "attn_qkv":
        return _fused(place)
    if name in ("attn_k", "attn_q"):
        return _key_query(name, place)
    if name == "attn_output":
        return _attention_output(place)
    if name in _DOWN:
        return _down(place)
    middle = place.shape.layers // 8 <= place.layer < 7 * place.shape.layers // 8
    if place.mix.name == "IQ3_XS" and name in _WIDE and middle:
        return "IQ3_XXS"
    return place.mix.default


def _more_bits(index: int, count: int) -> bool:
    """The first and last eighth, and every third between."""
    return index < count // 8 or index >= 7 * count // 8 or (index - count // 8) % 3 == 2


def _tiny(name: str, place: _Place) -> str:
    larger = place.mix.name in ("IQ2_S", "IQ2_M")
    better = "IQ3_S" if larger else "Q2_K"
    experts = place.shape.experts.count if place.shape.experts else 0
    if name in ("attn_v", "attn_qkv"):
        return "Q4_K" if place.grouped or experts >= 4 else better
    if name == "attn_k" and place.eight:
        return "Q4_K"
    if name in _DOWN and place.down < place.shape.layers // 8:
        return better
    if name == "attn_output":
        if place.eight:
            return "Q5_K"
        if place.mix.name in ("IQ1_S", "IQ1_M"):
            return "IQ2_XXS"
        return "IQ3_S" if larger else place.mix.default
    return place.mix.default


def _value(place: _Place) -> str:
    if place.eight:
        return "Q8_0"
    chosen = _value_by_mix(place)
    return "Q5_K" if _is_70b(place.shape) and chosen in ("Q3_K", "Q4_K") else chosen


def _is_70b(shape: Shape) -> bool:
    """llama.cpp calls Llama and Qwen2 of 80 layers 70B: eight heads share one attn_v, so it gets
    more bits at little cost. Qwen2.5 72B is one of them."""
    if shape.architecture == "llama":
        return shape.layers == 80 and shape.heads != shape.kv_heads
    return shape.architecture in ("qwen2", "qwen", "deci") and shape.layers == 80


def _value_by_mix(place: _Place) -> str:
    name, default = place.mix.name, place.mix.default
    grouped = {"Q2_K": "Q3_K", "Q2_K_S": "Q2_K", "IQ3_XXS": "IQ3_XXS", "IQ3_XS": "IQ3_S"}
    grouped["IQ3_S"] = "IQ3_S"
    if name in grouped:
        return "Q4_K" if place.grouped else grouped[name]
    if name in ("IQ4_NL", "IQ4_XS"):
        return "Q5_K" if place.grouped else default
    if name == "Q3_K_M":
        return "Q5_K" if place.value < 2 else "Q4_K"
    if name in ("Q4_K_M", "Q5_K_M"):
        return "Q6_K" if _more_bits(place.value, place.values) else default
    if name == "Q4_K_S":
        return "Q5_K" if place.value < 4 else default
    return {"IQ3_M": "Q4_K", "Q3_K_L": "Q5_K"}.get(name, default)


def _fused(place: _Place) -> str:
    """Until 2026 attn_qkv had a rule of its own, and published files follow it. Newer versions
    treat it as attn_v; the bytes of a whole file differ by less than 0.2 %."""
    kinds = {"Q3_K_M": "Q4_K", "Q3_K_L": "Q4_K", "IQ3_M": "Q4_K", "Q4_K_M": "Q5_K"}
    return {**kinds, "Q5_K_M": "Q6_K"}.get(place.mix.name, place.mix.default)


def _key_query(name: str, place: _Place) -> str:
    if name == "attn_k" and place.eight:
        return "Q8_0"
    return {"IQ3_XS": "IQ3_XXS", "IQ3_XXS": "IQ2_S"}.get(place.mix.name, place.mix.default)


_EIGHT_OUTPUT = ("Q2_K", "Q3_K_S", "Q3_K_M", "Q4_K_S", "Q4_K_M", "IQ4_NL", "IQ4_XS")


def _attention_output(place: _Place) -> str:
    name, default = place.mix.name, place.mix.default
    if place.falcon:
        return "Q4_K" if name == "Q3_K_L" else default
    if place.eight:
        more = name in _EIGHT_OUTPUT or name.startswith("IQ3")
        return "Q5_K" if more else default
    kinds = {"Q2_K": "Q3_K", "IQ3_XXS": "IQ3_S", "Q3_K_M": "Q4_K", "Q3_K_L": "Q5_K"}
    return {**kinds, "IQ3_M": "Q4_K"}.get(name, default)


def _down(place: _Place) -> str:
    name, default, layers = place.mix.name, place.mix.default, place.shape.layers
    more = _more_bits(place.layer, layers)
    if name == "Q2_K":
        return "Q3_K"
    if name == "Q2_K_S":
        return "Q4_K" if place.early else default
    if name == "Q3_K_M":
        if place.layer < layers // 16:
            return "Q5_K"
        return "Q3_K" if place.falcon and not more else "Q4_K"
    if name == "Q3_K_L":
        return "Q4_K" if place.falcon else "Q5_K"
    if name == "IQ3_M":
        return "Q4_K" if place.early or (place.eight and more) else default
    if name == "Q4_K_S":
        return "Q5_K" if place.early and not place.falcon else default
    if name == "Q4_K_M" and place.falcon:
        return "Q6_K" if place.layer < layers // 16 else "Q5_K" if more else default
    return "Q6_K" if name in ("Q4_K_M", "Q5_K_M") and more else default
