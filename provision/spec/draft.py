"""A first host.yaml from a few answers, commented so that its owner can go on from there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

_NAME_LENGTH = 41
# Words that need no quotes in any version of YAML and mean nothing else: no blanks, no sign that
# YAML or a comment begins with, no number. `model:8b` is a word, since no blank follows the colon.
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*(:[A-Za-z0-9_.-]*[A-Za-z_][A-Za-z0-9_.-]*)?")
_NOT_TEXT = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})


@dataclass(frozen=True, slots=True)
class DraftInstance:
    """One service. notes: what the plan makes of it, as comments above it."""

    name: str
    engine: str
    model: str
    replicas: int | str = 1
    context: int | None = None
    on_cpu: bool = False  # the host has no GPU
    shares: bool = False  # its GPUs serve others too
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """All that goes into the file. listen None: no proxy, since nginx is not there.

    takeover: vendors' units that run or start at boot, which would be in the way.
    """

    host: str
    machine: str  # 2 sockets, 4x RTX 3090 24 GiB
    instances: tuple[DraftInstance, ...]
    optimize: str = "latency"
    listen: int | None = 8080
    persistence: bool = False
    takeover: tuple[str, ...] = ()


def name_for(model: str, taken: Sequence[str] = ()) -> str:
    """A name of an instance from a model's: `llama3.1:8b` -> `llama3-1-8b`; never one in taken."""
    last = model.rstrip("/").rpartition("/")[2].removesuffix(".gguf")
    plain = re.sub(r"[^a-z0-9]+", "-", last.lower()).strip("-")[:_NAME_LENGTH].rstrip("-")
    plain = plain or "model"
    name, number = plain, 2
    while name in taken:
        end = f"-{number}"
        name, number = f"{plain[: _NAME_LENGTH - len(end)].rstrip('-')}{end}", number + 1
    return name


def draft_text(draft: Draft) -> str:
    """The file's text. Every value is quoted where YAML needs it, and no word of others (a host's
    or card's name, a model's) can end a comment's line."""
    lines = [
        f"# {_one_line(draft.host)}: {_one_line(draft.machine)}",
        "# What this host serves. `provision plan` says what it means here, `provision apply` does",
        "# it. All keys: docs/reference/host-yaml.md, or `provision schema` for an editor.",
        "version: 1",
        f"optimize: {draft.optimize}  # latency, throughput or memory",
        "",
        "instances:",
    ]
    for one in draft.instances:
        lines += _instance(one)
    lines += _settings(draft) + _proxy(draft) + _takeover(draft)
    return "\n".join(lines) + "\n"


def _instance(one: DraftInstance) -> list[str]:
    lines = [f"  # {_one_line(note)}" for note in one.notes]
    lines += [
        f"  {_scalar(one.name)}:",
        f"    engine: {_scalar(one.engine)}",
        f"    model: {_scalar(one.model)}",
    ]
    if one.context is not None:
        lines.append(f"    context: {one.context}  # tokens of one request")
    if one.replicas != 1:
        about = "as many copies as fit" if one.replicas == "auto" else "copies"
        lines.append(f"    replicas: {one.replicas}  # {about}")
    if one.shares:
        lines.append("    share_gpus: true  # with the others that say so, as their memory adds up")
    if one.on_cpu:
        lines.append("    gpus: 0  # on the CPU: this host has no GPU")
    else:
        lines.append("    # gpus: 2  # without this line: as few as hold the model")
    return lines


def _settings(draft: Draft) -> list[str]:
    if not draft.persistence:
        return []
    return [
        "",
        "gpu_settings:",
        "  persistence: true  # the driver stays loaded",
        "  # power_limit_watts: 280  # for every card; outside a card's range is an error",
    ]


def _proxy(draft: Draft) -> list[str]:
    if draft.listen is None:
        return [
            "",
            "# nginx was not found; with it, one address serves all instances:",
            "# proxy:",
            "#   listen: 8080",
        ]
    return [
        "",
        "# One address for all: each instance under /NAME/, the first one under / too.",
        "proxy:",
        f"  listen: {draft.listen}  # loopback only; 0.0.0.0:{draft.listen} needs keys or allow",
    ]


def _takeover(draft: Draft) -> list[str]:
    if not draft.takeover:
        return []
    units = ", ".join(map(_one_line, draft.takeover))
    return [
        "",
        f"# apply stops and disables {units}, which would use the same GPUs and ports;",
        "# `provision remove` gives it back.",
        "takeover: true",
    ]


def _one_line(text: str) -> str:
    """Without what ends a line (YAML: NEL, LS and PS too) or that no terminal should be given."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _scalar(text: str) -> str:
    """The text as YAML: plain where that is safe beyond doubt, else in double quotes."""
    if _PLAIN.fullmatch(text) and text.lower() not in _NOT_TEXT:
        return text
    dumped: Any = yaml.safe_dump(text, default_style='"', width=1_000_000, allow_unicode=True)
    return str(dumped).rstrip("\n")
