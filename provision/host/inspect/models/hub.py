"""A model in the cache of Hugging Face's hub client: models--ORG--NAME.

refs/BRANCH holds a commit, snapshots/COMMIT the files as links into blobs, where a download that
goes on (or was given up) is NAME.incomplete.
"""

from __future__ import annotations

import dataclasses
import re

from ...facts import ModelFound
from ..source import Source
from .folder import read_folder


def is_hub_folder(path: str) -> bool:
    """Whether a path is that of a model's folder in such a cache, by its name."""
    return path.rpartition("/")[2].startswith("models--")


def read_hub_folder(source: Source, folder: str) -> ModelFound | None:
    """The model of the main branch, or of the only commit; None when the folder holds nothing."""
    commit = _commit(source, folder)
    if commit is None:
        if not source.names(folder):
            return None
        count = len(source.names(f"{folder}/snapshots"))
        why = f"{count} commits, and none is the main branch" if count else "no commit is there"
        return ModelFound("config", problem=unfinished(source, folder) or why)
    found = read_folder(source, f"{folder}/snapshots/{commit}")
    problem = unfinished(source, folder)
    if found is None:
        return ModelFound("config", problem=problem or f"commit {commit:.12} holds no model")
    return dataclasses.replace(found, problem=problem or found.problem)


def unfinished(source: Source, folder: str) -> str | None:
    """Downloads that are not at their end; one whose blob is there too is merely a leftover."""
    blobs = set(source.names(f"{folder}/blobs"))
    waiting = {one.split(".")[0] for one in blobs if one.endswith(".incomplete")} - blobs
    return f"{len(waiting)} of its files are not fully downloaded" if waiting else None


def cache_of_snapshot(path: str) -> str | None:
    """The model's folder of a path to one of its commits."""
    match = re.fullmatch(r"(.*/models--[^/]+)/snapshots/[^/]+", path, re.DOTALL)
    return match[1] if match else None


def _commit(source: Source, folder: str) -> str | None:
    commits = source.names(f"{folder}/snapshots")
    main = (source.head(f"{folder}/refs/main", 64) or b"").decode("ascii", "replace").strip()
    if main in commits:
        return main
    return commits[0] if len(commits) == 1 and not main else None
