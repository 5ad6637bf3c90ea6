"""The words at the end of a model's name that say how its weights are stored: -AWQ, .Q4_K_M."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..weights import Quantisation, WeightFormat

MOST_TEXT = 512  # characters of a name that are looked at
_START = r"(?:^|[-_.:@])"
# A method by itself means four bits; the other figures are said beside it: GPTQ-Int8.
_USUAL_BITS = 4
_USUAL_GROUP = 128
_FLOATS = {"fp16": "F16", "f16": "F16", "float16": "F16", "bf16": "BF16", "bfloat16": "BF16",
           "fp32": "F32", "f32": "F32", "float32": "F32"}  # fmt: skip
# llama-quantize takes these short names for the mixes on the right (tools/quantize/quantize.cpp).
_SHORT = {"Q3_K": "Q3_K_M", "Q4_K": "Q4_K_M", "Q5_K": "Q5_K_M"}
_GGUF = (
    r"(?:ud[-_])?(?:iq[1-4]_(?:xxs|xs|s|m|l|nl|xl)|q[2-8]_k(?:_(?:xs|s|m|l|xl|xxl))?"
    r"|q[1-8]_[01]|tq[12]_0|mxfp4_moe)"
)
_FP8_KINDS = r"(?:[-_](?:dynamic|static|kv|block|e4m3|e5m2|fnuz|tensor|channel|torchao))*"
_WORDS = tuple(
    re.compile(f"{_START}(?:{words})$", re.IGNORECASE)
    for words in (
        rf"(?P<gguf>{_GGUF})",
        r"(?P<file>gguf|exl2|exl3)",
        r"(?P<bpw>\d{1,2}(?:[._]\d{1,3})?)[-_ ]?bpw(?:[-_]hb?\d{1,2})?",
        r"(?P<method>awq|gptq|nvfp4|mxfp4|fp4)(?:a16)?",
        r"(?P<method>fp8)" + _FP8_KINDS,
        r"(?P<method>auto[-_]?round)(?:[-_](?:gptq|awq))?",
        r"(?P<strange>unsloth[-_]bnb[-_][48]bits?)",  # some layers keep 16 bits, by the model
        r"(?P<method>bnb)(?:[-_](?P<bits>[48])bits?)?",
        r"(?P<method>nf4)",
        r"(?:quantized[-_.])?w(?P<weight>[48])a(?P<other>4|8|16)(?:[-_](?:sym|asym))?",
        r"int(?P<whole>[2348])",
        r"(?P<bits>[234568])[-_]?bits?",
        r"(?:g|gs)(?P<group>32|64|128|256|1024)|(?P<span>32|64|128|256|1024)g",
        r"(?P<float>fp16|f16|float16|bf16|bfloat16|fp32|f32|float32)",
        r"(?P<strange>mlx|hqq|aqlm|quip|eetq|ggml|onnx|openvino|marlin|torchao|spqr)",
        r"(?:int4|q4_0)[-_]unquantized",
        r"(?P<aware>qat)",
        r"i1|imat|imatrix|actorder(?:_true|_false)?|safetensors|quantized|sym|asym",
    )
)


@dataclass(frozen=True, slots=True)
class Ending:
    """A name without its last words, and what they say.

    quantisation None: they say none. unclear: they speak of one without saying which.
    """

    base: str
    quantisation: Quantisation | None = None
    format: WeightFormat | None = None  # of the files, where only that is said: -GGUF
    unclear: str | None = None
    aware: bool = False  # qat: trained for one quantisation


def split_ending(name: str, gguf: bool = False) -> Ending:
    """A name cut before its words of format and quantisation.

    gguf: that the files are GGUF is known already, so F16 is GGUF's.
    """
    base, said = name[:MOST_TEXT], dict[str, str]()
    while base:
        match = next((one for one in (word.search(base) for word in _WORDS) if one), None)
        if match is None:
            break
        for key, value in match.groupdict().items():
            if value is not None:
                said.setdefault(key, value.lower())
        base = base[: match.start()]
    ending = _meaning(said, gguf or said.get("file") == "gguf")
    return Ending(base, ending.quantisation, ending.format, ending.unclear, "aware" in said)


def _meaning(said: dict[str, str], gguf: bool) -> Ending:
    strange, method = said.get("strange"), said.get("method", "").replace("-", "").replace("_", "")
    if "gguf" in said:
        return Ending("", Quantisation("gguf", gguf_name(said["gguf"])), "gguf")
    if strange:
        return Ending(
            "", unclear=f"{strange} in its name is a way of storing weights that is not known here"
        )
    if gguf:
        name = "MXFP4" if method == "mxfp4" else _FLOATS.get(said.get("float", ""))
        return Ending("", Quantisation("gguf", name) if name else None, "gguf")
    if "bpw" in said or said.get("file") in ("exl2", "exl3"):
        return _exl("exl3" if said.get("file") == "exl3" else "exl2", said.get("bpw"))
    return _tensors(said, method)


def _exl(format_: WeightFormat, bpw: str | None) -> Ending:
    bits = float(bpw.replace("_", ".")) if bpw else 0.0
    if not 1 <= bits <= 16:
        unclear = f"its name says {format_} and not how many bits a weight has"
        return Ending("", None, format_, unclear)
    return Ending("", Quantisation(format_, format_.upper(), bits), format_)


def _tensors(said: dict[str, str], method: str) -> Ending:
    """What the words mean for safetensors."""
    bits = int(said.get("whole") or said.get("bits") or said.get("weight") or _USUAL_BITS)
    group = int(said.get("group") or said.get("span") or _USUAL_GROUP)
    name = _tensor_name(said, method, bits)
    if name is not None:
        unusual = (
            group if group != _USUAL_GROUP and name.startswith(("AWQ", "GPTQ", "INT4")) else None
        )
        return Ending("", Quantisation("safetensors", name, group=unusual), "safetensors")
    if "bits" in said:
        return Ending("", unclear=f"its name says {said['bits']} bits and not by which method")
    return Ending("")


def _tensor_name(said: dict[str, str], method: str, bits: int) -> str | None:
    if method == "fp8":  # also w8a8-fp8
        return "FP8"
    if method in ("gptq", "autoround"):
        return gptq_name(bits)
    if method == "awq":
        return "AWQ" if bits == _USUAL_BITS else f"AWQ-{bits}"
    if method in ("bnb", "nf4"):
        return f"BNB-{bits}"
    if method:
        return "MXFP4" if method == "mxfp4" else "NVFP4"
    if "weight" in said:
        return integer_name(bits)
    if "whole" in said:
        return integer_name(bits) if bits in (4, 8) else None
    return _FLOATS.get(said.get("float", ""))


def gptq_name(bits: int) -> str:
    """GPTQ's four bits go without saying."""
    return "GPTQ" if bits == _USUAL_BITS else f"GPTQ-{bits}"


def integer_name(bits: int) -> str:
    """Whole numbers as compressed-tensors packs them: 8 bits one a byte, 4 bits in groups."""
    return "INT8" if bits == 8 else "INT4"


def gguf_name(text: str) -> str:
    """A quantisation in llama.cpp's own spelling: q4_k_m is Q4_K_M, fp16 is F16."""
    name = _FLOATS.get(text.lower()) or text.upper().replace("UD_", "UD-")
    return "MXFP4" if name == "MXFP4_MOE" else _SHORT.get(name, name)
