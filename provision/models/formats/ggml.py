"""GGML's number types: how many elements a block has and how many bytes it takes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GgmlType:
    """Source: the block structures of ggml-common.h in llama.cpp."""

    name: str
    elements: int  # of a block
    bytes: int  # of a block

    def fits(self, columns: int) -> bool:
        """Whether a row of so many elements is whole blocks."""
        return columns % self.elements == 0

    def size(self, rows: int, columns: int) -> int:
        """Bytes of a tensor. A row that is not whole blocks raises ValueError."""
        if not self.fits(columns):
            raise ValueError(f"{columns} columns are no multiple of {self.name}'s {self.elements}")
        return rows * (columns // self.elements) * self.bytes


_BLOCKS: tuple[tuple[str, int, int], ...] = (
    ("F32", 1, 4),
    ("F16", 1, 2),
    ("BF16", 1, 2),
    ("Q4_0", 32, 18),
    ("Q4_1", 32, 20),
    ("Q5_0", 32, 22),
    ("Q5_1", 32, 24),
    ("Q8_0", 32, 34),
    ("Q2_K", 256, 84),
    ("Q3_K", 256, 110),
    ("Q4_K", 256, 144),
    ("Q5_K", 256, 176),
    ("Q6_K", 256, 210),
    ("IQ1_S", 256, 50),
    ("IQ1_M", 256, 56),
    ("IQ2_XXS", 256, 66),
    ("IQ2_XS", 256, 74),
    ("IQ2_S", 256, 82),
    ("IQ3_XXS", 256, 98),
    ("IQ3_S", 256, 110),
    ("IQ4_NL", 32, 18),
    ("IQ4_XS", 256, 136),
    ("TQ1_0", 256, 54),
    ("TQ2_0", 256, 66),
    ("MXFP4", 32, 17),
    ("NVFP4", 64, 36),
)

TYPES: dict[str, GgmlType] = {name: GgmlType(name, *block) for name, *block in _BLOCKS}

_FALLBACKS = {
    **dict.fromkeys(("Q2_K", "Q3_K", "TQ1_0", "TQ2_0"), "Q4_0"),
    **dict.fromkeys(("IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S"), "IQ4_NL"),
    "IQ4_XS": "IQ4_NL",
    "Q4_K": "Q5_0",
    "Q5_K": "Q5_1",
    "Q6_K": "Q8_0",
}


def fitting(wanted: GgmlType, columns: int) -> GgmlType:
    """The type that llama.cpp takes in place of one whose blocks the rows do not fill.

    Widths of 896 (Qwen2.5 0.5B), 2880 (gpt-oss) or 4544 (Falcon 7B) are no multiple of 256. Where
    even 32 does not divide them, F16 is left. Source: tensor_type_fallback in llama-quant.cpp.
    """
    if wanted.fits(columns):
        return wanted
    instead = TYPES.get(_FALLBACKS.get(wanted.name, "F16"), TYPES["F16"])
    return instead if instead.fits(columns) else TYPES["F16"]
