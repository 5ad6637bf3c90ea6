"""What a reference says by itself: which names the catalogue may know it by, and how it is stored.

Three kinds: tags of Ollama (llama3.1:70b-instruct-q4_K_M), ids of the Hugging Face hub
(Qwen/Qwen2.5-72B-Instruct-AWQ, with @revision or :quantisation), and absolute paths. Only words of
format and quantisation are cut off; a fine-tune's name stays, so it is never taken for another.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from ..weights import Quantisation, WeightFormat
from .endings import MOST_TEXT, Ending, split_ending

Kind = Literal["tag", "hub", "path"]
_PART = re.compile(r"-\d{5}-of-\d{5}$")
_OLLAMA_HOSTS = ("registry.ollama.ai", "ollama.com")
_HUB_HOSTS = ("hf.co", "huggingface.co")
_MANIFEST = re.compile(r".*/manifests/([^/]+)/([^/]+)/([^/]+)/([^/]+)", re.DOTALL)
_CACHE = re.compile(r"(?:.*/)?models--([^/]+?)--([^/]+)(?:/snapshots/[^/]+)?", re.DOTALL)
# Words of a library's tag behind the size that make another variant of the same shape.
_VARIANT = re.compile(r"[-_](?:instruct|chat|it|text|base|thinking|\d{4})$", re.IGNORECASE)
_DISTILLED = re.compile(r"(\d+(?:\.\d+)?)b-(llama|qwen)-distill", re.IGNORECASE)
_EXL_BRANCH = re.compile(r"(\d)_(\d{1,2})")
_SUFFIXES = (".gguf", ".safetensors", ".bin", ".pt", ".pth")
_ANY_MODEL = ("model", "pytorch_model", "consolidated", "ggml-model", "adapter_model")


@dataclass(frozen=True, slots=True)
class Reference:
    """A parsed reference. names: what to ask the catalogue for, best first.

    quantisation None: the name says none. official: it is Ollama's own library, whose tags have a
    known default. unclear: why the quantisation cannot be told. remote: it runs elsewhere. aware:
    it was trained for its quantisation (qat). base: the name without those words and its owner.
    """

    text: str
    kind: Kind
    names: tuple[str, ...]
    quantisation: Quantisation | None = None
    format: WeightFormat | None = None
    official: bool = False
    unclear: str | None = None
    remote: bool = False
    aware: bool = False
    base: str = ""


def parse(reference: str, engine: str) -> Reference:
    """What a reference says to one engine. Any text gives an answer; names may be empty."""
    text = reference.strip()[:MOST_TEXT]
    if text.startswith(("/", "./", "../", "~")):
        return _path(text)
    text = re.sub(r"^https?://", "", text)
    first = text.partition("/")[0].lower()
    if first in _HUB_HOSTS:
        return _hub(text.partition("/")[2])
    if engine == "ollama" or first in _OLLAMA_HOSTS or (":" in text and "/" not in text):
        return _tag(text)
    return _hub(text)


def _tag(text: str) -> Reference:
    """[registry/][namespace/]name[:tag] as Ollama reads it."""
    path, slash, last = text.rpartition("/")
    name, _, tag = last.partition(":")
    namespace = [one for one in path.split("/") if one] if slash else []
    if namespace and namespace[0].lower() in _OLLAMA_HOSTS:
        namespace = namespace[1:]
    official = namespace in ([], ["library"])
    ending = split_ending(tag, gguf=True)
    names = _tag_names(name.lower(), tag.lower(), ending.base.lower())
    if not tag:  # a plain name may be the catalogue's own, with a quantisation at its end
        names += _plain_names(split_ending(name).base)
        ending = replace(ending, quantisation=_gguf(split_ending(name)))
    return Reference(
        text,
        "tag",
        _once(names),
        ending.quantisation,
        "gguf",
        official,
        ending.unclear,
        remote=bool(re.search(r"(?:^|-)cloud$", tag, re.IGNORECASE)),
        aware=ending.aware,
        base=last,
    )


def _gguf(ending: Ending) -> Quantisation | None:
    stored = ending.quantisation
    return stored if stored is not None and stored.format == "gguf" else None


def _tag_names(name: str, tag: str, base: str) -> list[str]:
    """The library's tags without quantisation, then the model's name as others write it."""
    if base in ("", "latest"):
        return [f"{name}:{tag}", f"{name}:latest", name] if tag else [f"{name}:latest", name]
    names = [f"{name}:{tag}", f"{name}:{base}"]
    distilled = _DISTILLED.fullmatch(base)
    if name == "deepseek-r1" and distilled:  # deepseek-r1:8b is another model by now
        names.append(f"DeepSeek-R1-Distill-{distilled[2].title()}-{distilled[1]}B")
    names.append(f"{name}-{base}")
    while _VARIANT.search(base):
        base = _VARIANT.sub("", base)
        names.append(f"{name}:{base}")
    return names


def _hub(text: str) -> Reference:
    """owner/name, name, owner/name@revision, owner/name:quantisation."""
    repository, _, revision = text.partition("@")
    repository, _, quantisation = repository.partition(":")
    ending = split_ending(repository)
    for more in (quantisation, revision):
        ending = _with(ending, more)
    return _named("hub", text, [repository], ending)


def _with(ending: Ending, words: str) -> Ending:
    """An ending with what a revision or the word behind a colon adds: 4.0bpw, Q4_K_M."""
    if not words:
        return ending
    branch = _EXL_BRANCH.fullmatch(words)
    if branch and ending.format in ("exl2", "exl3"):  # bartowski's branches: 6_5 is 6.5 bits
        words = f"{branch[1]}.{branch[2]}bpw"
    said = split_ending(f"x-{ending.format}-{words}" if ending.format else f"x-{words}")
    if said.base != "x" or said.quantisation is None:  # main, a commit
        return ending
    return replace(said, base=ending.base, aware=ending.aware or said.aware)


def _path(text: str) -> Reference:
    """A file, a folder, a folder of the hub's cache, a manifest of Ollama's store."""
    path = text.rstrip("/")
    manifest = _MANIFEST.fullmatch(path)
    if manifest:
        return replace(_tag(f"{'/'.join(manifest.groups()[:3])}:{manifest[4]}"), text=text)
    cached = _CACHE.fullmatch(path)
    if cached:
        name = f"{cached[1]}/{cached[2]}"
        return replace(_named("path", text, [name], split_ending(name)), text=text)
    folders = path.split("/")
    last = folders.pop()
    gguf, stem = last.lower().endswith(".gguf"), _stem(last)
    ending = split_ending(stem, gguf)
    while not ending.base and folders:  # Llama-8B/model.safetensors, Llama-8B-exl3/4.0bpw
        outer = folders.pop()
        stem = f"{outer}-{stem}" if stem else outer
        ending = split_ending(stem, gguf)
    return _named("path", text, [stem], ending)


def _stem(name: str) -> str:
    """A file's name without suffix and number among parts; empty where every model's is so."""
    for suffix in _SUFFIXES:
        if name.lower().endswith(suffix):
            stem = _PART.sub("", name[: -len(suffix)])
            return "" if stem.lower() in _ANY_MODEL else stem
    return name


def _named(kind: Kind, text: str, whole: list[str], ending: Ending) -> Reference:
    return Reference(
        text,
        kind,
        _once([*whole, *_plain_names(ending.base)]),
        ending.quantisation,
        ending.format,
        unclear=ending.unclear,
        aware=ending.aware,
        base=ending.base.rpartition("/")[2],
    )


def _plain_names(base: str) -> list[str]:
    """A name with and without its owner, and as it is published elsewhere."""
    if not base.strip("/-_.:@"):
        return []
    owner, _, name = base.rpartition("/")
    names = [base] if owner else []
    names.append(name)
    first, underscore, rest = name.partition("_")
    if underscore:  # google_gemma-3-27b-it: some put the owner in front of the file's name
        names.append(f"{first}/{rest}")
    names.append(name[:-3] if name.lower().endswith("-hf") else f"{name}-hf")
    if name.lower().startswith("meta-"):
        names.append(name[5:])
    return names


def _once(names: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for one in names if one))
