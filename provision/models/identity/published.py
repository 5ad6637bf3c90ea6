"""Published files that are not what their quantisation alone would make of the model."""

from __future__ import annotations

from dataclasses import replace

from ..formats.weigh import weigh
from ..shape import Shape
from ..weights import Quantisation, Weights
from .names import Reference

_F16 = 2  # bytes of a weight


def library_quantisation(said: Reference) -> str | None:
    """Tags of models that were trained for their quantisation: gemma3:27b-it-qat is Q4_0."""
    return "Q4_0" if said.official and said.aware else None


def weigh_published(shape: Shape, stored: Quantisation, said: Reference, engine: str) -> Weights:
    """Weights of the file that a reference names. Raises UnknownQuantisationError.

    Ollama's files of vision models hold the tower, and it loads the one beside a repository's
    file; llama-server loads none unless it is told to.
    """
    if _ollamas_gpt_oss(shape, stored, said):
        return replace(weigh(shape, Quantisation("gguf", "MXFP4-BF16")), quantisation=stored)
    tower = stored.format == "gguf" and (said.kind == "tag" or engine == "ollama")
    weights = weigh(shape, stored, tower=True) if tower else weigh(shape, stored)
    return _with_plain_table(shape, weights) if _googles_own(shape, stored, said) else weights


def _ollamas_gpt_oss(shape: Shape, stored: Quantisation, said: Reference) -> bool:
    """Ollama's library keeps all but the experts in BF16: 13.8 GB, ggml-org's MXFP4 file 12.1."""
    return said.official and shape.architecture == "gpt-oss" and stored.name == "MXFP4"


def _googles_own(shape: Shape, stored: Quantisation, said: Reference) -> bool:
    """Google's Q4_0 files of Gemma 3 QAT, which Ollama's library has too.

    Their input table stays F16: gemma-3-27b-it-qat-q4_0-gguf has 17.2 GB, llama.cpp's own Q4_0
    15.6. Requantised ones of others are usual Q4_0 files.
    """
    owner = said.text.lower().startswith(("google/", "hf.co/google/"))
    ours = said.official if said.kind == "tag" else owner
    return ours and said.aware and stored.name == "Q4_0" and shape.architecture == "gemma3"


def _with_plain_table(shape: Shape, weights: Weights) -> Weights:
    table = shape.vocab * shape.hidden * _F16
    more = table - weights.embedding
    return replace(
        weights,
        total=weights.total + more,
        embedding=table,
        read_per_token=weights.read_per_token + more,
    )
