"""What is applied under torture: three bundles, and together every kind of change between them.

Files and links that come, change and go, with folders of their own; modes; a secret; a program
(kept as an object beside its generation) and the link to it.
"""

from __future__ import annotations

import base64

from provision.host.bundle import Artifact, Bundle, Expectation, Instance, InstanceRuntime
from provision.host.facts import Placed

UNITS = "/etc/systemd/system"
UNIT = f"{UNITS}/engine@.service"
ENVIRONMENTS = "/etc/provision/instances"
PROGRAMS = "/usr/local/lib/provision"
LIMITS = "/etc/security/limits.d/provision.conf"  # a stranger's file lies there in some scenarios


def _drop_in(name: str) -> str:
    return f"{UNITS}/engine@{name}.service.d/10-provision.conf"


def _wanted_by(name: str) -> str:
    return f"{UNITS}/provision.target.wants/engine@{name}.service"


def _program(version: str) -> tuple[Artifact, Artifact]:
    path = f"{PROGRAMS}/engine-{version}"
    text = base64.b64encode(f"#!/bin/sh\necho {version}\n".encode() + b"\0" * 3000).decode()
    program = Artifact(path, text, 0o755, encoding="base64")
    return program, Artifact(f"{PROGRAMS}/engine", f"engine-{version}", kind="link")


def _instance(name: str, port: int) -> Instance:
    unit = f"engine@{name}.service"
    return Instance(
        name=name,
        group=name.partition(".")[0],
        engine="ollama",
        unit=unit,
        digest="d" * 64,
        runtime=InstanceRuntime(1, name),
        expectation=Expectation("engine", port=port),
        placed=Placed(name, "ollama", unit, port=port, ports=(port,)),
    )


def _bundle(names: tuple[str, ...], *artifacts: Artifact) -> Bundle:
    return Bundle(
        version=1,
        host="box",
        tool="0.1.0",
        artifacts=tuple(sorted(artifacts, key=lambda one: one.path)),
        instances=tuple(_instance(name, 9000 + number) for number, name in enumerate(names)),
    )


FIRST = _bundle(
    ("chat.0",),
    Artifact(UNIT, "[Service]\nType=exec\n"),
    Artifact(_drop_in("chat.0"), "[Service]\nExecStart=\nExecStart=/bin/true\n"),
    Artifact(_wanted_by("chat.0"), UNIT, kind="link"),
    Artifact(f"{ENVIRONMENTS}/chat.0.env", "A=1\n", 0o600),
    Artifact("/etc/provision/key", "key-of-the-first\n", 0o600, secret=True),
    Artifact(LIMITS, "* - memlock unlimited\n"),
    *_program("1"),
)
# one instance goes, two come; the unit changes its text, the limits their mode, the link its target
SECOND = _bundle(
    ("chat.1", "code.0"),
    Artifact(UNIT, "[Service]\nType=exec\nNice=1\n"),
    Artifact(_drop_in("chat.1"), "[Service]\nNice=2\n"),
    Artifact(_drop_in("code.0"), "[Service]\nNice=3\n"),
    Artifact(_wanted_by("chat.1"), UNIT, kind="link"),
    Artifact(f"{ENVIRONMENTS}/chat.1.env", "A=2\n", 0o600),
    Artifact("/etc/provision/key", "key-of-the-second\n", 0o600, secret=True),
    Artifact(LIMITS, "* - memlock unlimited\n", 0o600),
    *_program("2"),
)
THIRD = _bundle(
    ("chat.0",),
    Artifact(UNIT, "[Service]\nType=exec\n"),
    Artifact(_drop_in("chat.0"), "[Service]\nNice=9\n"),
    *_program("1"),
)
# the last one cannot be written: a file is where a folder has to be
FAILING = _bundle(
    ("chat.0",),
    Artifact(UNIT, "[Service]\nType=exec\nNice=5\n"),
    Artifact(_drop_in("chat.0"), "[Service]\nNice=5\n"),
    Artifact(_drop_in("deep.0"), "[Service]\nNice=5\n"),
    Artifact("/srv/plain-file/below", "x\n"),
)
