"""A model in Ollama's store: a manifest that names blobs by their digests."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

from ...facts import ModelFound
from ..source import Source
from .config import parse_config, read_json
from .gguf_model import read_parts
from .header import MIB

_TYPE = "application/vnd.ollama.image."
_LOADED = ("model", "projector", "adapter")  # layers that take memory
_MOST_MANIFEST = MIB
_MOST_LAYERS = 256
_MANIFEST = re.compile(r"(.*)/manifests/[^/]+/[^/]+/[^/]+/[^/]+", re.DOTALL)


@dataclasses.dataclass(frozen=True, slots=True)
class _Layer:
    kind: str
    digest: str  # 64 hexadecimal digits
    size: int | None


def store_of_manifest(source: Source, path: str) -> str | None:
    """The models folder of a manifest by its path (manifests/HOST/NAMESPACE/MODEL/TAG)."""
    match = _MANIFEST.fullmatch(path)
    return match[1] if match and source.is_folder(f"{match[1]}/blobs") else None


def read_manifest(source: Source, store: str, path: str) -> ModelFound:
    """The GGUF files that a manifest names; params.* are the model's own default options."""
    plain = read_json(source, path, _MOST_MANIFEST)
    layers = parse_layers(plain)
    if layers is None:
        return ModelFound("gguf", problem="it is no manifest of Ollama")
    loaded = [one for kind in _LOADED for one in layers if one.kind == kind]
    if not any(one.kind == "model" for one in loaded):
        return ModelFound("gguf", problem="the manifest names no model: it runs elsewhere")
    places = [(one, _blob(source, store, one)) for one in loaded]
    there = [(one, place) for one, place in places if place is not None]
    found = read_parts(
        source,
        [place for _, place in there],
        [f"sha256-{one.digest}" for one, place in places if place is None],
    )
    if loaded[0] is not (there[0][0] if there else None):
        found = dataclasses.replace(  # a projector alone is not what the model is
            found, architecture=None, name=None, settings={}, lists={}
        )
    problem = found.problem or _wrong_length(source, there)
    settings = {**found.settings, **_params(source, store, layers)}
    return dataclasses.replace(found, settings=settings, problem=problem)


def parse_layers(plain: object) -> list[_Layer] | None:
    """A manifest's layers; None when it is none."""
    listed = plain.get("layers") if isinstance(plain, dict) else None
    if not isinstance(listed, list) or len(listed) > _MOST_LAYERS:
        return None
    layers: list[_Layer] = []
    for one in listed:
        values: Mapping[str, object] = one if isinstance(one, dict) else {}
        kind, digest, size = (values.get(key) for key in ("mediaType", "digest", "size"))
        match = re.fullmatch(r"sha256:([0-9a-f]{64})", digest) if isinstance(digest, str) else None
        if not isinstance(kind, str) or match is None:
            return None
        layers.append(
            _Layer(kind.removeprefix(_TYPE), match[1], size if type(size) is int else None)
        )
    return layers


def _blob(source: Source, store: str, layer: _Layer) -> str | None:
    path = f"{store}/blobs/sha256-{layer.digest}"
    return path if source.is_file(path) else None


def _wrong_length(source: Source, layers: list[tuple[_Layer, str]]) -> str | None:
    for layer, path in layers:
        status = source.status(path)
        if status and layer.size is not None and status.st_size != layer.size:
            return f"a blob has {status.st_size} bytes, the manifest says {layer.size}"
    return None


def _params(
    source: Source, store: str, layers: list[_Layer]
) -> dict[str, int | float | bool | str]:
    layer = next((one for one in layers if one.kind == "params"), None)
    path = _blob(source, store, layer) if layer else None
    plain = read_json(source, path, _MOST_MANIFEST) if path else None
    return parse_config({"params": plain}).settings if isinstance(plain, dict) else {}
