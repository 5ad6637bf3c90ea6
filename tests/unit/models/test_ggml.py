"""Block sizes against the published bits per weight, and the types that take over narrow rows."""

from __future__ import annotations

import pytest

from provision.models.formats.ggml import TYPES, fitting

BITS = {
    "F32": 32.0,
    "F16": 16.0,
    "BF16": 16.0,
    "Q4_0": 4.5,
    "Q4_1": 5.0,
    "Q5_0": 5.5,
    "Q5_1": 6.0,
    "Q8_0": 8.5,
    "Q2_K": 2.625,
    "Q3_K": 3.4375,
    "Q4_K": 4.5,
    "Q5_K": 5.5,
    "Q6_K": 6.5625,
    "IQ1_S": 1.5625,
    "IQ1_M": 1.75,
    "IQ2_XXS": 2.0625,
    "IQ2_XS": 2.3125,
    "IQ2_S": 2.5625,
    "IQ3_XXS": 3.0625,
    "IQ3_S": 3.4375,
    "IQ4_NL": 4.5,
    "IQ4_XS": 4.25,
    "TQ1_0": 1.6875,
    "TQ2_0": 2.0625,
    "MXFP4": 4.25,
    "NVFP4": 4.5,
}


def test_every_type_has_its_bits() -> None:
    assert {name: 8 * kind.bytes / kind.elements for name, kind in TYPES.items()} == BITS


@pytest.mark.parametrize(
    ("wanted", "columns", "got"),
    [
        ("Q4_K", 4096, "Q4_K"),
        ("Q4_K", 2880, "Q5_0"),
        ("Q5_K", 4544, "Q5_1"),
        ("Q6_K", 896, "Q8_0"),
        ("Q3_K", 896, "Q4_0"),
        ("Q2_K", 896, "Q4_0"),
        ("IQ4_XS", 2880, "IQ4_NL"),
        ("IQ2_XXS", 2880, "IQ4_NL"),
        ("Q4_K", 1000, "F16"),
        ("Q8_0", 1000, "F16"),
        ("NVFP4", 96, "F16"),
        ("BF16", 7, "BF16"),
    ],
)
def test_narrow_rows(wanted: str, columns: int, got: str) -> None:
    assert fitting(TYPES[wanted], columns).name == got


def test_size_counts_whole_blocks() -> None:
    assert TYPES["Q4_K"].size(2, 512) == 2 * 2 * 144
    with pytest.raises(ValueError, match="900 columns"):
        TYPES["Q4_K"].size(2, 900)
