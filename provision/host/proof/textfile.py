"""Drift as numbers for Prometheus: a file that node_exporter's textfile collector reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from ..errors import fail
from ..files import Files
from .drift_report import KINDS, DriftReport

_Sample = tuple[Mapping[str, str], int]


def prometheus(report: DriftReport) -> str:
    """Text exposition format, without time stamps: the collector takes none.

    A kind that does not occur is 0, so that an alert on it does not depend on a series that comes
    and goes. What could not be found out has no sample.
    """
    counts = Counter(one.kind for one in report.items)
    kinds = sorted({*KINDS, *counts})
    interrupted: list[_Sample] = []
    if report.interrupted is not None:
        interrupted.append(({}, int(report.interrupted)))
    held = sorted({(one.instance, one.by) for one in report.held})
    parts = [
        _metric(
            "provision_drift",
            "Things that are not as the last apply left them, by kind.",
            [({"kind": kind}, counts[kind]) for kind in kinds],
        ),
        _metric(
            "provision_drift_unknown",
            "Things that drift could not look at.",
            [({}, len(report.unknown))],
        ),
        _metric(
            "provision_generation",
            "Number of the generation that is applied, 0 where none is.",
            [({}, report.generation or 0)],
        ),
        _metric(
            "provision_interrupted",
            "1 when a run was cut short and neither finished nor taken back.",
            interrupted,
        ),
        _metric(
            "provision_unconfirmed",
            "1 while a generation awaits its confirmation.",
            [({}, int(report.unconfirmed is not None))],
        ),
        _metric(
            "provision_instance_held",
            "1 for each instance that is kept out of the balancer, and by whom.",
            [({"instance": name, "by": by}, 1) for name, by in held],
        ),
    ]
    return "".join(parts)


def write_textfile(files: Files, path: str, text: str) -> None:
    """Put the text where the collector reads it, whole, readable by all.

    ProvisionError `textfile-name`: the collector reads nothing but *.prom.
    """
    if not path.startswith("/") or not path.endswith(".prom"):
        raise fail(
            "textfile-name",
            f"{path}: node_exporter reads only files named *.prom, by their absolute path",
            "for example /var/lib/prometheus/node-exporter/provision.prom",
        )
    files.write(path, text.encode(), 0o644)


def _metric(name: str, text: str, samples: Iterable[_Sample]) -> str:
    lines = [f"# HELP {name} {text}", f"# TYPE {name} gauge"]
    lines += [f"{name}{_labels(labels)} {value}" for labels, value in samples]
    return "\n".join(lines) + "\n"


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{key}="{_escaped(value)}"' for key, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    r"""A label's value: \, " and newline are the three that mean something (exposition formats)."""
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
