from __future__ import annotations

from pathlib import Path

import pytest

from provision.host.facts import ExporterFound
from provision.host.inspect.software.exporters import read_exporters, started_program
from provision.host.inspect.source import Source

from .tree import Machine

DEBIAN = """\
[Unit]
Description=Prometheus exporter for machine metrics

[Service]
EnvironmentFile=/etc/default/prometheus-node-exporter
ExecStart=/usr/bin/prometheus-node-exporter $ARGS
"""


def test_exporters_with_their_units(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.file("/usr/bin/prometheus-node-exporter", "")
    machine.file("/usr/lib/systemd/system/prometheus-node-exporter.service", DEBIAN)
    machine.link("/lib", "usr/lib")
    machine.link("/bin", "usr/bin")
    machine.file("/opt/nvidia_gpu_exporter-1.9/nvidia_gpu_exporter", "")
    machine.file("/data/dcgm/dcgm-exporter", "")
    machine.file(
        "/etc/systemd/system/dcgm-exporter.service",
        "[Service]\nExecStart=-/data/dcgm/dcgm-exporter \\\n  -f /etc/x.csv\n",
    )
    machine.file("/usr/local/bin/prometheus", "")
    machine.file("/etc/systemd/system/gone_exporter.service", "ExecStart=/opt/x/node_exporter\n")
    machine.file("/etc/systemd/system/nginx.service", "ExecStart=/usr/local/bin/prometheus\n")
    assert read_exporters(Source(tmp_path)) == (
        ExporterFound(
            "dcgm-exporter",
            "/data/dcgm/dcgm-exporter",
            "/etc/systemd/system/dcgm-exporter.service",
        ),
        ExporterFound(
            "node_exporter",
            "/usr/bin/prometheus-node-exporter",
            "/usr/lib/systemd/system/prometheus-node-exporter.service",
        ),
        ExporterFound(
            "nvidia_gpu_exporter", "/opt/nvidia_gpu_exporter-1.9/nvidia_gpu_exporter", None
        ),
        ExporterFound("prometheus", "/usr/local/bin/prometheus", None),
    )


def test_the_unit_that_systemd_prefers(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.file("/usr/bin/prometheus-node-exporter", "")
    machine.file("/usr/local/bin/node_exporter", "")
    machine.file("/usr/lib/systemd/system/prometheus-node-exporter.service", DEBIAN)
    machine.file(
        "/etc/systemd/system/prometheus-node-exporter.service",
        "[Service]\nExecStart=/usr/local/bin/node_exporter\n",
    )
    units = {one.path: one.unit for one in read_exporters(Source(tmp_path))}
    assert units == {
        "/usr/bin/prometheus-node-exporter": None,
        "/usr/local/bin/node_exporter": "/etc/systemd/system/prometheus-node-exporter.service",
    }


@pytest.mark.parametrize(
    ("unit", "program"),
    [
        (DEBIAN, "/usr/bin/prometheus-node-exporter"),
        ("ExecStart=\nExecStart=@/a/node_exporter node\n", "/a/node_exporter"),
        ("ExecStart=/bin/sh -c 'exec /a/dcgm-exporter -a'\n", "/a/dcgm-exporter"),
        ("ExecStart=/usr/bin/docker run nvidia/dcgm-exporter:4.2\n", None),
        ("ExecStartPre=/a/node_exporter\n", None),
        ("# ExecStart=/a/node_exporter\n", None),
        ("ExecStart='/a/node_exporter\n", None),
        ("", None),
    ],
)
def test_what_a_unit_starts(unit: str, program: str | None) -> None:
    assert started_program(unit) == program


def test_nothing_there_and_rubbish(tmp_path: Path) -> None:
    assert read_exporters(Source(tmp_path)) == ()
    machine = Machine(tmp_path)
    machine.data("/etc/systemd/system/x-exporter.service", b"\xff\0ExecStart=\xfe\n")
    machine.link("/lib", "/lib")
    (tmp_path / "usr/bin/node_exporter").mkdir(parents=True)
    assert read_exporters(Source(tmp_path)) == ()
