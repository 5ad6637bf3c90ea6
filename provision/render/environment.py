"""Environment files: what the engine reads, and the digest of all that a restart depends on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from provision.engines.launch import Launch
from provision.engines.registry import engine_named
from provision.host.bundle import Artifact

from . import paths
from .templates import fill


def env_file(launch: Launch) -> Artifact:
    """The variables of engine and owner: never a secret, and still for root alone."""
    variables = sorted(engine_named(launch.engine).environment(launch).items())
    content = fill("env/instance.env", name=launch.name, variables=variables)
    return Artifact(paths.env_file(launch.name), content, mode=0o600)


def digest_of(artifacts: Iterable[Artifact]) -> str:
    """sha256 in hex over paths and contents: differs when a restart is needed."""
    digest = hashlib.sha256()
    for artifact in sorted(artifacts, key=lambda one: one.path):
        for part in (artifact.path, artifact.content):
            data = part.encode()
            digest.update(f"{len(data)}:".encode() + data)
    return digest.hexdigest()


def digest_file(instance: str, digest: str) -> Artifact:
    """The digest as a variable, so that a live process tells what it was started from."""
    return Artifact(paths.digest_file(instance), fill("env/instance.digest", digest=digest))
