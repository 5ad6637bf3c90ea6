"""What in a recording names this one machine, and can only be told by where it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .recording import Kept

_LABELLED = re.compile(r"(?im)\bserial(?:[ _-]?(?:number|no))?\.?\s*[:=]\s*(\S+)")
_DEVICE_ID = re.compile(r"(?m)\bPDI\s*:\s*0x([0-9A-Fa-f]{8,16})\b")
_UNIQUE = re.compile(r"(?m)^(?:unique_id|hive_id) (\d+)$")
_WHOLE = re.compile(
    r".*/(?:(?:product|board|chassis)_serial|product_uuid|\w+_asset_tag|serial(?:[-_]number)?|wwid"
    r"|eui|nguid)"
)
_MACHINE_ID = ("/etc/machine-id", "/var/lib/dbus/machine-id")
_HOST_FILES = ("/proc/sys/kernel/hostname", "/etc/hostname")
_SERVER = re.compile(r"(?m)^(?:[\w.-]+@)?([A-Za-z0-9][\w.-]*):/|^//([A-Za-z0-9][\w.-]*)/")
_LEAST_NUMBER = 1 << 20  # a smaller one may be any number
# Words that mean something to inspection: a host of such a name is renamed only where its own
# name stands.
_MEANINGFUL = frozenset(
    (
        "amd", "backend", "cpu", "debian", "default", "docker", "fedora", "gpu", "host", "intel",
        "linux", "llama", "localhost", "model", "models", "nginx", "node", "none", "nvidia",
        "ollama", "prometheus", "provision", "ray", "root", "server", "service", "sglang",
        "system", "systemd", "tabbyapi", "ubuntu", "unknown", "user", "users", "vllm", "worker",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Identities:
    """Words to be replaced wherever they stand, and files that hold nothing else."""

    hosts: frozenset[str]
    serials: frozenset[str]
    numbers: frozenset[int]  # written as decimal or as hexadecimal numbers
    whole: frozenset[str]  # paths


def identities(kept: Kept) -> Identities:
    """What a recording tells."""
    texts = dict(_texts(kept))
    whole = frozenset(path for path in texts if _WHOLE.fullmatch(path))
    machine = {texts[path].strip() for path in _MACHINE_ID if path in texts}
    serials = {gpu.serial for gpu in kept.nvml.gpus if gpu.serial} if kept.nvml else set()
    serials |= {texts[path].strip() for path in whole} | machine
    numbers: set[int] = set()
    for path, text in texts.items():
        serials.update(match[1] for match in _LABELLED.finditer(text))
        numbers.update(int(match[1], 16) for match in _DEVICE_ID.finditer(text))
        numbers.update(int(match[1][:30]) for match in _UNIQUE.finditer(text))
        if path.endswith("/unique_id") and re.fullmatch(r"[0-9A-Fa-f]{1,16}", text.strip()):
            numbers.add(int(text, 16))
    return Identities(
        hosts=frozenset(_hosts(kept, texts)),
        serials=frozenset(one for one in serials if _is_serial(one)),
        numbers=frozenset(one for one in numbers if one >= _LEAST_NUMBER),
        whole=whole,
    )


def _texts(kept: Kept) -> Iterator[tuple[str, str]]:
    """Contents by path, and outputs by the words of their program."""
    for path, data in kept.files.items():
        if path not in kept.recording.partial:
            yield path, data.decode("utf-8", "surrogateescape")
    for ran in kept.commands.commands:
        yield " ".join(ran.argv), f"{ran.out}\n{ran.err}"


def _is_serial(text: str) -> bool:
    """Not N/A, None, To be filled by O.E.M., 0 or 0123456789, which many boards have."""
    return (
        len(text) >= 5
        and any(char.isdigit() for char in text)
        and len(set(text)) > 2
        and text != "0123456789"
        and re.fullmatch(r"[\w.+/-]+", text) is not None
    )


def _hosts(kept: Kept, texts: dict[str, str]) -> Iterator[str]:
    """Names of this host, and of those whose file systems it mounts."""
    own = [kept.recording.names.hostname] if kept.recording.names else []
    own += [texts[path].strip() for path in _HOST_FILES if path in texts]
    for path, text in texts.items():
        if path.endswith(("/mounts", "/mountinfo")):
            sources = re.sub(r"(?m)^.* - \S+ ", "", text) if path.endswith("info") else text
            own += [match[1] or match[2] for match in _SERVER.finditer(sources)]
    used = {word for path in _paths(kept) for word in re.split(r"[^0-9A-Za-z_]+", path)}
    for name in own:
        for one in {name, name.partition(".")[0]}:
            if _is_distinct(one) and one not in used:
                yield one


def _is_distinct(name: str) -> bool:
    """Whether a name can mean nothing but a host, wherever it stands."""
    if len(name) < 3 or name.lower() in _MEANINGFUL:
        return False
    return re.fullmatch(r"[\d.]+", name) is None


def _paths(kept: Kept) -> Iterator[str]:
    yield from kept.files
    yield from kept.folders
    yield from kept.recording.stubs
    yield from (path for path in kept.recording.which.values() if path)
