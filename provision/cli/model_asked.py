"""From the words of `models show` to a model: which engine is meant, which quantisation."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from provision import pipeline
from provision.engines.ability import ABILITIES
from provision.host.errors import ProvisionError, fail
from provision.host.facts import ModelFound
from provision.models.catalogue import catalogue
from provision.models.formats.weigh import UnknownQuantisationError, weigh
from provision.models.identity.identify import identify
from provision.models.model import Model, UnknownModelError
from provision.models.weights import Quantisation, WeightFormat

# The quantisations that most people choose between, smallest first.
USUAL: dict[WeightFormat, tuple[str, ...]] = {
    "gguf": ("Q3_K_M", "Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "F16"),
    "safetensors": ("AWQ", "FP8", "BF16"),
    "exl2": ("EXL2-3.0", "EXL2-4.0", "EXL2-5.0", "EXL2-6.0"),
    "exl3": ("EXL3-3.0", "EXL3-4.0", "EXL3-5.0", "EXL3-6.0"),
}
_EXLLAMA = re.compile(r"(EXL[23])[-_: ]?(\d+(?:\.\d+)?)(?:BPW)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Asked:
    """A model and the engine that is to serve it."""

    model: Model
    engine: str


def model_asked(name: str, engine: str | None, quantisation: str | None) -> Asked:
    """The model of a name. ProvisionError `unknown-model`, `unknown-quantisation`: why not."""
    found, reference = None, name
    if is_local(name):
        reference = str(Path(name).expanduser().absolute())
        found = _on_this_machine(reference)
    serves = engine or engine_of(name, found)
    model = _identified(reference, serves, found, quantisation)
    if quantisation is not None:
        model = in_quantisation(model, quantisation_named(quantisation, model, serves))
    _check_format(model, serves)
    return Asked(model, serves)


def is_local(name: str) -> bool:
    """Whether a name means a file or folder of this machine."""
    if name.startswith(("/", "./", "../", "~")):
        return True
    return name.lower().endswith((".gguf", ".safetensors")) and Path(name).exists()


def engine_of(name: str, found: ModelFound | None = None) -> str:
    """The engine that a name is made for: ollama for a tag, llama-server for GGUF, else vllm."""
    if found is not None:
        return "llama-server" if found.format == "gguf" else "vllm"
    if name.lower().endswith(".gguf"):
        return "llama-server"
    if ":" in name:
        return "ollama"
    if "/" in name:
        return "vllm"
    whole = name.casefold()
    published = any(
        whole in (one.name.casefold(), *(alias.casefold() for alias in one.aliases))
        for one in catalogue()
    )
    return "vllm" if published else "ollama"


def in_quantisation(model: Model, quantisation: Quantisation) -> Model:
    """The same model stored in another way. ProvisionError `unknown-quantisation`."""
    if model.shape is None:
        raise fail("unknown-quantisation", f"{model.name}: its shape is not known")
    try:
        weights = weigh(model.shape, quantisation)
    except UnknownQuantisationError as error:
        usual = ", ".join(USUAL[quantisation.format])
        raise fail("unknown-quantisation", str(error), f"usual ones: {usual}") from None
    return replace(model, weights=weights, note=None)


def quantisation_named(word: str, model: Model, engine: str) -> Quantisation:
    """A quantisation by its word, in the files that the engine loads."""
    exllama = _EXLLAMA.fullmatch(word)
    if exllama:
        kind: WeightFormat = "exl2" if exllama[1].upper() == "EXL2" else "exl3"
        return Quantisation(kind, kind.upper(), bits=float(exllama[2]))
    formats = ABILITIES[engine].formats
    own = model.weights.quantisation.format
    return Quantisation(own if own in formats else min(formats), word.upper())


def _identified(
    reference: str, engine: str, found: ModelFound | None, quantisation: str | None
) -> Model:
    try:
        return identify(reference, engine, found)
    except UnknownModelError as error:
        first = error
    # owner/Some-8B-exl3 has no bits in its name; the option says them.
    exllama = _EXLLAMA.fullmatch(quantisation or "")
    if exllama and "/" in reference and ":" not in reference:
        with suppress(UnknownModelError):
            return identify(f"{reference}:{exllama[2]}bpw", engine)
    raise unknown(first) from None


def _check_format(model: Model, engine: str) -> None:
    formats = ABILITIES[engine].formats
    stored = model.weights.quantisation
    if stored.format in formats:
        return
    wanted = " or ".join(sorted(formats))
    usual = ", ".join(USUAL[min(formats)])
    raise fail(
        "wrong-format",
        f"{engine} loads {wanted} files, and {model.reference} is {stored.format} {stored}",
        f"--quantisation with one of {usual}",
    )


def unknown(error: UnknownModelError) -> ProvisionError:
    """As every command says it."""
    return fail("unknown-model", str(error), error.hint)


def _on_this_machine(path: str) -> ModelFound:
    found = pipeline.model_found(path)
    if found is None:
        there = "is no GGUF or safetensors model" if Path(path).exists() else "does not exist"
        raise fail("unknown-model", f"{path} {there}")
    return found
