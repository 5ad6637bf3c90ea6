"""Prometheus and its exporters on the host."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from ...facts import ExporterFound
from ..source import Source
from ..tree import Tree

# By the names of their programs: upstream's, and those of Debian's packages.
_NAMES = {
    "alertmanager": "alertmanager",
    "amd-smi-exporter": "amd-smi-exporter",
    "amd_smi_exporter": "amd-smi-exporter",
    "blackbox_exporter": "blackbox_exporter",
    "dcgm-exporter": "dcgm-exporter",
    "grafana": "grafana",
    "grafana-server": "grafana",
    "nginx-prometheus-exporter": "nginx-prometheus-exporter",
    "node-exporter": "node_exporter",
    "node_exporter": "node_exporter",
    "nvidia_gpu_exporter": "nvidia_gpu_exporter",
    "process-exporter": "process-exporter",
    "prometheus": "prometheus",
    "prometheus-alertmanager": "alertmanager",
    "prometheus-blackbox-exporter": "blackbox_exporter",
    "prometheus-nginx-exporter": "nginx-prometheus-exporter",
    "prometheus-node-exporter": "node_exporter",
    "prometheus-process-exporter": "process-exporter",
    "systemd_exporter": "systemd_exporter",
    "vmagent": "vmagent",
    "vmagent-prod": "vmagent",
}
_FOLDERS = ("/usr/local/bin", "/usr/local/sbin", "/usr/bin", "/usr/sbin", "/snap/bin")
_SYSTEMD = ("/etc/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system")
_OLD_SYSTEMD = "/lib/systemd/system"  # a link to the last above where /usr is merged
_UNIT = re.compile(
    r".*(exporter|dcgm|prometheus|grafana|alertmanager|vmagent).*\.service", re.DOTALL
)
_MOST_UNITS = 48
_MOST_FOLDERS = 64


def read_exporters(source: Source) -> tuple[ExporterFound, ...]:
    """Those that are installed, by name and path, with the unit file that starts each."""
    units = _units(source)
    found: dict[str, ExporterFound] = {}
    for path in (*sorted(units), *_usual(source)):
        real = source.real(path)
        if real not in found and source.may_run(path):
            name = _NAMES[path.rpartition("/")[2]]
            found[real] = ExporterFound(name, path, units.get(path))
    return tuple(sorted(found.values(), key=lambda one: (one.name, one.path)))


def started_program(unit: str) -> str | None:
    """The program of an exporter that a unit file starts, by its ExecStart lines.

    It need not be the first word: shells and wrappers are looked through. What runs in a container
    is none of the host's programs.
    """
    joined = re.sub(r"\\\n\s*", " ", unit)
    for match in re.finditer(r"^\s*ExecStart\s*=(.*)$", joined, re.MULTILINE):
        line = match[1].strip().lstrip("@-:+!|")
        try:
            words = shlex.split(line)
        except ValueError:
            words = line.split()
        for word in " ".join(words).split():
            if word.startswith("/") and word.rpartition("/")[2] in _NAMES:
                return word
    return None


def _units(tree: Tree) -> dict[str, str]:
    """Unit files by the program that they start; the folder that systemd prefers comes first."""
    folders = _SYSTEMD if tree.real(_OLD_SYSTEMD) in _SYSTEMD else (*_SYSTEMD, _OLD_SYSTEMD)
    files: dict[str, str] = {}
    for folder in folders:
        for name in tree.names(folder):
            if _UNIT.fullmatch(name):
                files.setdefault(name, f"{folder}/{name}")
    started: dict[str, str] = {}
    for name in sorted(files)[:_MOST_UNITS]:
        program = started_program(tree.text(files[name]) or "")
        if program:
            started.setdefault(program, files[name])
    return started


def _usual(tree: Tree) -> Iterator[str]:
    """Where packages and people put the programs; unpacked archives in /opt by their name."""
    for folder in _FOLDERS:
        for program in _NAMES:
            yield f"{folder}/{program}"
    for base in ("/opt", "/usr/local"):
        for name in tree.names(base)[:_MOST_FOLDERS]:
            for program in _NAMES:
                if name == program or name.startswith(f"{program}-"):
                    yield f"{base}/{name}/{program}"
                    yield f"{base}/{name}/bin/{program}"
    yield "/usr/share/grafana/bin/grafana"
