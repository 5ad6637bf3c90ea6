"""The catalogue: shapes of the models that people run, with their names at Ollama and the Hub.

Every shape is that of the original's config.json; parameters are those of its files at the Hub,
or reckoned from the shape to the last one. One module a family, imported on the first use.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

from ..shape import Shape


@dataclass(frozen=True, slots=True)
class CatalogueModel:
    """A model as published. name is the Hub's without its owner: Llama-3.1-8B-Instruct.

    ollama: library tags without quantisation (llama3.1:8b), each with the quantisation that the
    plain tag has. hub: ids whose files hold it (originals and well-known requantised ones need no
    entry where the name says the quantisation). native: how the original is stored.
    """

    name: str
    family: str  # Llama, Qwen, Mistral, DeepSeek, Gemma, Phi, gpt-oss, GLM, Command, Falcon, ...
    shape: Shape
    parameters: int  # in all, as published or reckoned from the shape
    ollama: dict[str, str] = field(default_factory=dict)  # {"llama3.1:8b": "Q4_K_M"}
    hub: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()  # other spellings of the name: Meta-Llama-3.1-8B-Instruct
    native: str = "BF16"  # BF16, FP8, MXFP4, F16, F32
    embeds: bool = False


@cache
def catalogue() -> tuple[CatalogueModel, ...]:
    """All, by family and size."""
    from . import (
        cohere,
        deepseek,
        embedding,
        falcon,
        fine_tuned,
        gemma,
        glm,
        gpt_oss,
        llama,
        mistral,
        others,
        phi,
        qwen,
        qwen3,
        qwen35,
        qwen_coder,
        small_makers,
    )

    families = (
        cohere,
        deepseek,
        embedding,
        falcon,
        fine_tuned,
        gemma,
        glm,
        gpt_oss,
        llama,
        mistral,
        others,
        phi,
        qwen,
        qwen3,
        qwen35,
        qwen_coder,
        small_makers,
    )
    models = (model for family in families for model in family.MODELS)
    return tuple(sorted(models, key=lambda m: (m.family.lower(), m.parameters, m.name)))


def find(name: str) -> CatalogueModel | None:
    """The model of exactly this name, alias or Hub id (with or without its owner).

    Letter case does not count, and `_` and spaces are the same as `-`.
    """
    return _index().get(normalised(name))


def near(name: str, most: int = 3) -> tuple[str, ...]:
    """Names for "did you mean", the best first. Ollama tags where `name` looks like one."""
    from difflib import get_close_matches

    names = _tags() if ":" in name else _names()
    wanted = normalised(name.rsplit("/", 1)[-1])
    # 3 spellings of one model must not crowd out the others, so more are asked for than wanted.
    close = get_close_matches(wanted, names, n=4 * most, cutoff=0.6)
    return tuple(dict.fromkeys(names[match] for match in close))[:most]


def normalised(name: str) -> str:
    """A name as it is compared: lower case, `_` and spaces as `-`."""
    return name.strip().lower().replace("_", "-").replace(" ", "-")


@cache
def _index() -> dict[str, CatalogueModel]:
    index: dict[str, CatalogueModel] = {}
    for model in catalogue():
        for name in (model.name, *model.aliases, *model.hub):
            index.setdefault(normalised(name), model)
            index.setdefault(normalised(name.rsplit("/", 1)[-1]), model)
    return index


@cache
def _names() -> dict[str, str]:
    """Normalised spelling without owner -> name of the model."""
    return {key: model.name for key, model in _index().items() if "/" not in key}


@cache
def _tags() -> dict[str, str]:
    """Normalised Ollama tag -> tag."""
    return {normalised(tag): tag for model in catalogue() for tag in sorted(model.ollama)}
