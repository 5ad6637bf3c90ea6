"""The header of a GGUF file: nearly all of it is the vocabulary, with its merges."""

from __future__ import annotations

from ..shape import Shape

# Bytes for each entry of a vocabulary by its size: text, score or type, and merges where it has
# some. Measured on published files as file size less the bytes of all tensors.
_BY_VOCABULARY = {
    32000: 23.0,  # Llama 2, Mistral: pieces with scores, no merges
    32064: 23.1,  # Phi-3
    32768: 23.1,  # Mistral v0.3
    49152: 36.0,  # SmolLM, StarCoder
    65024: 35.4,  # Falcon
    100352: 35.4,  # Phi-4, OLMo 2, StableLM 2
    102400: 40.0,  # DeepSeek V2, EXAONE
    128256: 61.2,  # Llama 3
    131072: 64.1,  # Mistral Nemo and later
    151552: 61.6,  # GLM-4
    163840: 42.4,  # Kimi
    200064: 41.2,  # Phi-4 mini
    201088: 65.0,  # gpt-oss
    202048: 64.8,  # Llama 4
}
_PIECES = ("gemma", "nemotron", "bert", "nomic", "jina")  # no merges
_PIECE_BYTES = 24.6
_MERGE_BYTES = 40.0  # Qwen 39.2, Command R 42.5, Seed 40.6


def header_bytes(shape: Shape) -> int:
    """Bytes before the tensors, within a third: 0.7 to 13 MB."""
    known = _BY_VOCABULARY.get(shape.vocab)
    if known is None:
        pieces = shape.vocab < 40000 or shape.architecture.startswith(_PIECES)
        known = _PIECE_BYTES if pieces else _MERGE_BYTES
    return round(shape.vocab * known)
