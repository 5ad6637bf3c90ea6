"""What kind of model a file or folder holds."""

from __future__ import annotations

import dataclasses

from ...facts import ModelFound
from ..source import Source
from .folder import read_folder, read_safetensors_file
from .gguf_model import read_gguf_model
from .hub import cache_of_snapshot, is_hub_folder, read_hub_folder, unfinished
from .ollama import read_manifest, store_of_manifest


def read_model(source: Source, path: str) -> ModelFound | None:
    """A GGUF or safetensors file, a model's folder, a folder of the hub's cache, a manifest.

    None for anything else. A file is opened only when its name says that it is a model: paths of
    a request may be keys. Of all headers 64 MiB are read at most, of an index 24, of a config 4.
    """
    if not path.startswith("/") or "\0" in path:
        return None
    path = path.rstrip("/")
    if source.is_folder(path):
        return _read_folder(source, path)
    name = path.rpartition("/")[2].lower()
    if not source.is_file(path):
        return None
    if name.endswith(".gguf"):
        return read_gguf_model(source, path)
    if name.endswith(".safetensors"):
        return read_safetensors_file(source, path)
    store = store_of_manifest(source, path)
    return read_manifest(source, store, path) if store is not None else None


def _read_folder(source: Source, path: str) -> ModelFound | None:
    if is_hub_folder(path):
        return read_hub_folder(source, path)
    found, cache = read_folder(source, path), cache_of_snapshot(path)
    if found is None or cache is None:
        return found
    return dataclasses.replace(found, problem=unfinished(source, cache) or found.problem)
