"""The drift timer: where its metrics may be written."""

from __future__ import annotations

from ..complaints import Complaints
from ..model import DriftSpec
from ..subject import quoted
from .instance import check_path

_PRIVATE = ("/tmp/", "/var/tmp/")  # the unit has folders of its own there


def check(drift: DriftSpec, complaints: Complaints) -> None:
    """node_exporter reads names that end in .prom, and nothing else (its textfile collector)."""
    path = drift.textfile
    if path is None:
        return
    at = ("drift", "textfile")
    check_path("drift: textfile", path, complaints, *at)
    name = path.rpartition("/")[2]
    if not name.endswith(".prom") or name == ".prom":
        complaints.add(
            "bad-textfile",
            f"drift: textfile is {quoted(path)}; node_exporter reads files that end in .prom",
            *at,
            hint="write /var/lib/prometheus/node-exporter/provision.prom",
        )
    elif path.startswith(_PRIVATE):
        complaints.add(
            "bad-textfile",
            f"drift: textfile is {quoted(path)}, which nobody else would see: the unit has a "
            "temporary folder of its own",
            *at,
            hint="write /var/lib/prometheus/node-exporter/provision.prom",
        )
