"""From the words of a spec to a Model: the files on the host first, then the catalogue."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

from provision.host.facts import ModelFound

from ..catalogue import CatalogueModel, catalogue, find, near
from ..formats.weigh import UnknownQuantisationError
from ..model import Model, UnknownModelError
from ..shape import Shape
from ..weights import Quantisation, WeightFormat, Weights
from .found import describe
from .keys import UnclearError
from .names import Reference, parse
from .published import library_quantisation, weigh_published

_FORMATS: dict[str, WeightFormat] = {"ollama": "gguf", "llama-server": "gguf", "tabbyapi": "exl3"}
# `ollama run hf.co/...` and `llama-server -hf` take this one of a repository's files by default,
# else the first: repositories of gpt-oss have MXFP4 alone.
_REPOSITORY_DEFAULT = "Q4_K_M"
_BLOCK = 128
_MAKERS_OF_BLOCKS = ("deepseek-ai/", "qwen/", "zai-org/", "zhipuai/", "minimaxai/")


@dataclass(frozen=True, slots=True)
class GivenMemory:
    """What `memory:` of host.yaml says about a model that nobody else knows. Bytes."""

    weights: int
    kv: int | None = None  # for all requests together
    layers: int | None = None
    heads: int | None = None


@dataclass(frozen=True, slots=True)
class _Listed:
    """An entry of the catalogue and the name that it was found by."""

    model: CatalogueModel
    name: str


def identify(
    reference: str,
    engine: str,
    found: ModelFound | None = None,
    given: GivenMemory | None = None,
) -> Model:
    """The model of a reference as one engine would load it.

    reference: an Ollama tag, a Hugging Face id, or the absolute path of a file or folder. found:
    what inspection read from its files. given: host.yaml's own word, used only where neither the
    files nor the catalogue know the model. Raises UnknownModelError.
    """
    said = parse(reference, engine)
    listed, whys = _listed(said), []
    if found is not None:
        try:
            return _from_files(reference, said, found, listed)
        except UnclearError as error:
            whys.append(f"by its files, {error}")
    if listed is not None:
        try:
            return _from_catalogue(reference, engine, said, listed)
        except UnclearError as error:
            whys.append(str(error))
    if given is not None and given.weights > 0:
        return _from_spec(reference, engine, said, given)
    raise _unknown(reference, said, listed, found, whys)


def _listed(said: Reference) -> _Listed | None:
    """The catalogue's entry of the first of the names that it knows."""
    if said.remote:
        return None
    tags = _tags()
    for name in said.names:
        model = tags.get(name.lower()) if said.kind == "tag" else None
        model = model or find(name)
        if model is not None:
            return _Listed(model, name.lower())
    return None


@cache
def _tags() -> dict[str, CatalogueModel]:
    """Ollama's tags. A library of one size only needs no tag at all: nomic-embed-text."""
    index = {tag.lower(): model for model in catalogue() for tag in model.ollama}
    sizes: dict[str, set[str]] = {}
    for tag, model in index.items():
        sizes.setdefault(tag.partition(":")[0], set()).add(model.name)
    alone = {
        tag.partition(":")[0]: model
        for tag, model in index.items()
        if len(sizes[tag.partition(":")[0]]) == 1
    }
    return {**alone, **index}


def _from_files(
    reference: str, said: Reference, found: ModelFound, listed: _Listed | None
) -> Model:
    """Raises UnclearError."""
    described = describe(found, listed.model.shape if listed else None, said.quantisation)
    shape = described.shape
    same = listed is not None and _alike(listed.model.shape, shape)
    return Model(
        reference,
        listed.model.name if listed and same else _name(said, found),
        "files",
        described.weights,
        shape,
        shape.context,
        described.embeds or bool(listed and same and listed.model.embeds),
        note="; ".join(described.notes) or None,
    )


def _alike(one: Shape, other: Shape) -> bool:
    return (one.layers, one.hidden, one.heads) == (other.layers, other.hidden, other.heads)


def _name(said: Reference, found: ModelFound) -> str:
    """The files' own name, unless it is a path on the machine where the model was made."""
    own = found.name or ""
    if own and not own.startswith(("/", ".", "~")):
        return own
    return said.base or said.text


def _from_catalogue(reference: str, engine: str, said: Reference, listed: _Listed) -> Model:
    """Raises UnclearError."""
    model = listed.model
    stored, note = said.quantisation, None
    if stored is None:
        stored, note = _default(engine, said, listed)
    if stored.name == "FP8" and _in_blocks(reference, model):
        stored = replace(stored, group=_BLOCK)
    shape = _padded(model.shape, reference, stored)
    try:
        weights = weigh_published(shape, stored, said, engine)
    except UnknownQuantisationError as error:
        raise UnclearError(f"it is {model.name}, but {error}") from error
    return Model(
        reference,
        model.name,
        "catalogue",
        weights,
        shape,
        shape.context,
        model.embeds,
        note=note,
    )


def _padded(shape: Shape, reference: str, stored: Quantisation) -> Shape:
    """Qwen's own 4-bit files of its 72B models are padded so that tensor parallel can cut whole
    groups of 128 (QwenLM/Qwen3-VL#230): 29568 became 29696."""
    own = reference.lower().startswith("qwen/") and stored.name in ("AWQ", "GPTQ", "GPTQ-8")
    return replace(shape, ffn=29696) if own and shape.ffn == 29568 else shape


def _in_blocks(reference: str, model: CatalogueModel) -> bool:
    """Whether an FP8 checkpoint has a scale for each block of 128 x 128, as DeepSeek's, Qwen's and
    GLM's own (weight_block_size in config.json); others have one a row or tensor."""
    return model.native == "FP8" or reference.lower().startswith(_MAKERS_OF_BLOCKS)


def _default(engine: str, said: Reference, listed: _Listed) -> tuple[Quantisation, str]:
    """The quantisation of a reference that names none. Raises UnclearError."""
    model = listed.model
    if said.unclear is not None:
        raise UnclearError(f"it is {model.name}, but {said.unclear}")
    if said.kind == "tag":
        return _default_of_tag(said, listed)
    if said.format == "gguf":
        if said.kind == "hub" and engine in ("ollama", "llama-server"):
            name = "MXFP4" if model.native == "MXFP4" else _REPOSITORY_DEFAULT
            what = f"{name} is taken from a repository that is named alone"
            return Quantisation("gguf", name), what
        raise UnclearError(f"it is {model.name}, but its name does not say how it is quantised")
    return Quantisation("safetensors", model.native), f"{model.native}, as it was published"


def _default_of_tag(said: Reference, listed: _Listed) -> tuple[Quantisation, str]:
    tags = {tag.lower(): name for tag, name in listed.model.ollama.items()}
    stored = library_quantisation(said) or tags.get(listed.name)
    if stored is None and len(set(tags.values())) == 1:
        stored = next(iter(tags.values()))
    if stored is None or not said.official:
        raise UnclearError(
            f"it is {listed.model.name}, but its tag does not say how it is quantised"
        )
    return Quantisation("gguf", stored), f"{stored} is what Ollama's library has under this tag"


def _from_spec(reference: str, engine: str, said: Reference, given: GivenMemory) -> Model:
    """host.yaml's word: layers are taken for equal."""
    format_ = said.format or _FORMATS.get(engine, "safetensors")
    count = given.layers if given.layers is not None and given.layers > 0 else 1
    least, extra = divmod(given.weights, count)
    layers = tuple(least + (1 if at < extra else 0) for at in range(count))
    stored = said.quantisation or Quantisation(format_, "as given")
    weights = Weights(stored, given.weights, 0, 0, layers, 0, given.weights)
    return Model(
        reference,
        said.base or reference,
        "spec",
        weights,
        kv_bytes=given.kv,
        note="its memory is what host.yaml says",
    )


def _unknown(
    reference: str,
    said: Reference,
    listed: _Listed | None,
    found: ModelFound | None,
    whys: list[str],
) -> UnknownModelError:
    """What is not known, where was looked, and what would help."""
    shown = repr(reference if len(reference) <= 120 else f"{reference[:117]}...")
    memory = "give its memory: memory: {weights_gib: ...}"
    known = "`provision models list` shows what is known"
    if said.remote:
        return UnknownModelError(
            f"{shown} runs at Ollama's own service, not on this host",
            "take a tag without cloud in it",
        )
    if listed is None:
        nowhere = "the catalogue does not know it"
        whys.append(nowhere if found else f"its files are not on this host and {nowhere}")
        close = near(said.names[0], 3) if said.names else ()
        meant = f"did you mean {' or '.join(close)}? Else " if close else ""
        return UnknownModelError(
            f"how much memory {shown} needs is not known: {'; '.join(whys)}",
            f"{meant}{memory}; {known}",
        )
    return UnknownModelError(
        f"how much memory {shown} needs is not known: {'; '.join(whys)}",
        f"name the quantisation, or {memory}; {known}",
    )
