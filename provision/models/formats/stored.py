"""Bytes of a model as safetensors and ExLlama files store it, in each of their quantisations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from ..shape import Shape
from ..tensors import Tensor, tensors
from ..weights import Quantisation, Weights

Kind = Literal["embedding", "head", "vector", "router", "attention", "dense", "expert", "other"]

_GROUP = 128  # weights that share a scale where nothing else is said (AWQ, GPTQ)
_LINEAR: frozenset[Kind] = frozenset({"attention", "dense", "expert"})
_FFN_AND_EXPERTS: frozenset[Kind] = frozenset({"dense", "expert"})
_EXPERTS: frozenset[Kind] = frozenset({"expert"})

# These exist in GGUF files only: factors that other engines compute from config.json.
_GGUF_ONLY = ("rope_freqs", "rope_factors_long", "rope_factors_short")

# Small or delicate matrices of state-space mixers that every quantiser leaves alone.
_NOT_LINEAR = ("ssm_conv1d", "ssm_a", "ssm_d", "ssm_dt", "ssm_beta_alpha", "attn_sinks")

# Published with layers that predict further tokens, which engines load for speculation alone.
_PREDICTS_AHEAD = ("deepseek2", "deepseek32", "glm4moe", "glm-dsa", "qwen3next", "mimo2")


@dataclass(frozen=True, slots=True)
class _Scheme:
    """bits: of a quantised weight with its share of scales and zeros. kinds: what is quantised.

    row, column: further bytes of each output row or input column of a matrix. head: bits of the
    output head where it is quantised too.
    """

    bits: Fraction
    kinds: frozenset[Kind] = _LINEAR
    row: int = 0
    column: int = 0
    head: Fraction | None = None
    plain: int = 16  # bits of what is not quantised
    error: float = 0.01


def weigh_stored(shape: Shape, quantisation: Quantisation) -> Weights:
    """Bytes of all tensors in safetensors, exl2 or exl3 files.

    BF16, F16 and F32 are exact, the rest follows the layout of the tool that makes such files.
    Raises UnknownQuantisationError.
    """
    scheme = _scheme(shape, quantisation)
    embedding = output = other = experts = 0
    layers = [0] * shape.layers
    for tensor in _stored(shape):
        kind = _kind(tensor)
        size = _size(tensor, kind, scheme)
        if tensor.layer is not None and 0 <= tensor.layer < shape.layers:
            layers[tensor.layer] += size
            experts += size if kind == "expert" else 0
        elif kind == "embedding":
            embedding += size
        elif kind == "head":
            output += size
        else:
            other += size
    other += _rest(shape, scheme)
    if not output and scheme.head is not None:
        output = _table(shape, scheme.head)  # ExLlama stores a head of its own for tied models
    return Weights(
        quantisation=quantisation,
        total=embedding + output + sum(layers) + other,
        embedding=embedding,
        output=output,
        layers=tuple(layers),
        experts=experts,
        read_per_token=sum(layers) - _unread(shape, experts) + (output or embedding),
        other=other,
        error=scheme.error,
    )


def predicts_ahead(shape: Shape) -> bool:
    """Whether what lies outside of the layers is multi-token prediction, not a vision tower.

    vLLM and SGLang skip these tensors unless they are asked to speculate with them
    (DeepSeek V3: model.layers.61), and llama.cpp marks them TENSOR_SKIP.
    """
    return bool(shape.other_parameters) and shape.architecture in _PREDICTS_AHEAD


def sees(shape: Shape) -> bool:
    """Whether there is a vision tower."""
    encodes = shape.architecture.endswith(("bert", "embedding"))
    return bool(shape.other_parameters) and not predicts_ahead(shape) and not encodes


def _stored(shape: Shape) -> Iterable[Tensor]:
    return (tensor for tensor in tensors(shape) if not tensor.name.startswith(_GGUF_ONLY))


def _unread(shape: Shape, experts: int) -> int:
    """Bytes of routed experts that one token does not touch."""
    if shape.experts is None or not shape.experts.count:
        return 0
    return experts - experts * shape.experts.used // shape.experts.count


def _table(shape: Shape, bits: Fraction) -> int:
    return _ceil(shape.vocab * shape.hidden * bits / 8)


def _kind(tensor: Tensor) -> Kind:
    name = tensor.name
    if name == "token_embd":
        return "embedding"
    if name == "output":
        return "head"
    if "norm" in name or name.endswith((".bias", ".b")) or 1 in (tensor.rows, tensor.columns):
        return "vector"
    if tensor.layer is None:
        return "other"
    if name.startswith(_NOT_LINEAR):
        return "vector"
    if name.startswith("ffn_gate_inp"):
        return "router"
    if "_exps" in name or tensor.experts > 1:
        return "expert"
    return "dense" if name.startswith("ffn") else "attention"


def _size(tensor: Tensor, kind: Kind, scheme: _Scheme) -> int:
    if kind == "head" and scheme.head is not None:
        return _ceil(tensor.elements * scheme.head / 8)
    if kind not in scheme.kinds:
        return _ceil(Fraction(tensor.elements * scheme.plain, 8))
    scales = tensor.rows * scheme.row + tensor.columns * tensor.experts * scheme.column
    return _ceil(tensor.elements * scheme.bits / 8) + scales


def _rest(shape: Shape, scheme: _Scheme) -> int:
    """What lies in no layer: a vision tower in 16 bits, or multi-token prediction.

    That repeats both tables and joins two streams, unquantised; the rest of it is a layer like the
    others. DeepSeek V3 is published so: 688.6 GB with it, 671.0 billion weights without it.
    """
    plain = elements = shape.other_parameters
    if predicts_ahead(shape):
        plain = min(elements, 2 * shape.vocab * shape.hidden + 2 * shape.hidden**2)
    bits = scheme.bits if scheme.kinds else scheme.plain
    return _ceil(Fraction(plain * scheme.plain, 8) + (elements - plain) * bits / Fraction(8))


def _scheme(shape: Shape, quantisation: Quantisation) -> _Scheme:
    if quantisation.format in ("exl2", "exl3"):
        return _exllama(quantisation)
    group = quantisation.group or _GROUP
    name = quantisation.name.upper()
    if name in ("BF16", "F16", "F32"):
        plain = 32 if name == "F32" else 16
        return _Scheme(Fraction(plain), frozenset(), plain=plain, error=0.001)
    known = {
        "FP8": _fp8(shape),
        # FBGEMM's FP8, as Meta stores Llama 3.1 405B: attention stays in 16 bits.
        "FP8-FBGEMM": _Scheme(Fraction(8), _FFN_AND_EXPERTS, row=4, error=0.03),
        "INT8": _Scheme(Fraction(8), row=4),
        "BNB-8": _Scheme(Fraction(8), row=4),
        # 4 bits, a 16 bit scale and a 4 bit zero a group.
        "AWQ": _Scheme(4 + Fraction(20, group)),
        # The same, and a 32 bit group number of each input column (g_idx).
        "GPTQ": _Scheme(4 + Fraction(20, group), column=4),
        "GPTQ-8": _Scheme(8 + Fraction(24, group), column=4),
        "INT4": _Scheme(4 + Fraction(16, group), error=0.02),
        # NF4 with double quantisation: 8 bits for 64 weights, 32 bits for 256 of those.
        "BNB-4": _Scheme(4 + Fraction(8, 64) + Fraction(32, 64 * 256), error=0.02),
        # 4 bits and an 8 bit exponent for 32 weights; OpenAI quantises the experts alone.
        "MXFP4": _Scheme(Fraction(17, 4), _EXPERTS if shape.experts else _LINEAR, error=0.02),
        "NVFP4": _nvfp4(shape),
    }
    if name not in known:
        raise _unknown(quantisation)
    return known[name]


def _fp8(shape: Shape) -> _Scheme:
    """A 32 bit scale for 128 x 128 weights, as DeepSeek and Qwen publish it, else for each row."""
    if shape.architecture.startswith(("deepseek", "qwen3", "glm")):
        return _Scheme(8 + Fraction(32, 128 * 128), error=0.01)
    return _Scheme(Fraction(8), row=4, error=0.01)


def _nvfp4(shape: Shape) -> _Scheme:
    """4 bits and an 8 bit scale for 16 weights, as NVIDIA's modelopt stores it.

    It leaves latent attention (DeepSeek) in 16 bits and quantises any other attention.
    """
    kinds = _FFN_AND_EXPERTS if shape.latent is not None else _LINEAR
    return _Scheme(Fraction(9, 2), kinds, error=0.03)


def _exllama(quantisation: Quantisation) -> _Scheme:
    """The bits of the name count for all matrices in layers together; the head gets 6, or 8."""
    if quantisation.bits is None:
        raise _unknown(quantisation)
    bits = Fraction(quantisation.bits).limit_denominator(1000)
    head = Fraction(8) if bits > 6 else Fraction(6)
    # exl3 keeps a 16 bit sign and scale of each row and column beside the weights.
    vector = 2 if quantisation.format == "exl3" else 0
    return _Scheme(bits, row=vector, column=vector, head=head, error=0.03)


def _unknown(quantisation: Quantisation) -> Exception:
    # Imported late: weigh.py calls this file.
    from .weigh import UnknownQuantisationError

    return UnknownQuantisationError(
        f"the layout of {quantisation} in {quantisation.format} files is not known"
    )


def _ceil(number: Fraction) -> int:
    return -(-number.numerator // number.denominator)
