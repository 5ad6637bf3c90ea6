"""Names of GGUF quantisations, as file names and Ollama tags spell them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mix:
    """name: llama.cpp's own word, whose rules apply. default: the type of most matrices.

    ends: the type of input table and head where the publisher set it. error: relative, where the
    name does not fix the bytes. experts: the type of routed experts where it is set apart.
    """

    name: str
    default: str
    ends: str | None = None
    error: float = 0.0
    experts: str | None = None

    @property
    def quantises(self) -> bool:
        return self.default not in ("F32", "F16", "BF16")


_SAME = (
    *("F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q6_K"),
    *("IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ3_XXS", "IQ3_S", "IQ4_NL", "IQ4_XS"),
    *("TQ1_0", "TQ2_0", "MXFP4", "NVFP4"),
)

# What most matrices of a mix are. IQ2_S and IQ2_M are each one step below their name.
DEFAULTS = {
    **{name: name for name in _SAME},
    "Q2_K_S": "Q2_K",
    **dict.fromkeys(("Q3_K_S", "Q3_K_M", "Q3_K_L"), "Q3_K"),
    **dict.fromkeys(("Q4_K_S", "Q4_K_M"), "Q4_K"),
    **dict.fromkeys(("Q5_K_S", "Q5_K_M"), "Q5_K"),
    "IQ2_S": "IQ2_XS",
    "IQ2_M": "IQ2_S",
    "IQ3_XS": "IQ3_S",
    "IQ3_M": "IQ3_S",
}

_OTHER_WORDS = {
    "FP32": "F32",
    "FP16": "F16",
    "Q3_K": "Q3_K_M",
    "Q4_K": "Q4_K_M",
    "Q5_K": "Q5_K_M",
    "MXFP4_MOE": "MXFP4",
}

# bartowski's names: a mix of llama.cpp with input table and head in Q8_0.
_LARGE_ENDS = {
    "Q2_K_L": "Q2_K",
    "Q3_K_XL": "Q3_K_L",
    "Q4_K_L": "Q4_K_M",
    "Q5_K_L": "Q5_K_M",
    "Q6_K_L": "Q6_K",
}

# Unsloth's dynamic files choose types model by model: the nearest mix, and how far off it was
# found to be (Qwen3 8B and 30B-A3B, DeepSeek R1). Those of one or two bits are too far off.
_DYNAMIC = {"Q2_K_XL": ("Q2_K", 0.15)}
_DYNAMIC |= {f"Q{bits}_K_XL": (f"Q{bits}_K_M", 0.1) for bits in (3, 4, 5)}
_DYNAMIC |= {f"Q{bits}_K_{size}": (f"Q{bits}_K_{size}", 0.1) for bits in (3, 4, 5) for size in "SM"}
_DYNAMIC |= {"Q6_K_XL": ("Q6_K", 0.15), "Q6_K": ("Q6_K", 0.1), "IQ4_XS": ("IQ4_XS", 0.1)}

# MXFP4 experts with all else in BF16: Ollama's gpt-oss, and what the Hub calls F16 or BF16 of it.
_MXFP4_BF16 = ("MXFP4-BF16", "MXFP4_BF16")


def mix_named(name: str) -> Mix | None:
    """The mix of a name in any case: q4_K_M, UD-Q4_K_XL, fp16. None: its rules are not known."""
    word = name.upper().replace("-", "_") if not name.upper().startswith("UD") else name.upper()
    if word in _MXFP4_BF16:
        return Mix("BF16", "BF16", experts="MXFP4")
    if word.startswith(("UD-", "UD_")):
        return _dynamic(word[3:])
    word = _OTHER_WORDS.get(word, word)
    if word in DEFAULTS:
        return Mix(word, DEFAULTS[word])
    if word in _LARGE_ENDS:
        base = _LARGE_ENDS[word]
        return Mix(base, DEFAULTS[base], ends="Q8_0")
    return _dynamic(word) if word.endswith("_XL") else None


def _dynamic(word: str) -> Mix | None:
    if word not in _DYNAMIC:
        return None
    base, error = _DYNAMIC[word]
    return Mix(base, DEFAULTS[base], error=error)
