"""verify's screen: what is proven, what is refuted, what is open."""

from __future__ import annotations

import pytest

from provision.cli.report_screen import show_report
from provision.host.report import Check, Report

GOOD = (
    Check("chat.0", "unit", True, "active", "active", "vllm@chat.0.service"),
    Check("chat.0", "processes", True, "/opt/vllm", "pid 12: /opt/vllm/bin/python"),
    Check("chat.0", "cpus", True, "2-15", "2-15", "40 threads of 2 processes"),
    Check("chat.0", "cpuset", True, "2-15", "2-15"),
    Check("chat.0", "memory-policy", True, "preferred:0", "preferred:0"),
    Check("chat.0", "memory", True, "on node 0", "98.7 % of 21811 MiB", "node 0: 21527 MiB"),
    Check("chat.0", "environment", True, "7 variables", "as planned"),
    Check("chat.0", "gpus", True, "GPU-a, GPU-b", "GPU-a, GPU-b"),
    Check("chat.0", "token", True, "one token", "in 0.21 s"),
    Check("nginx", "unit", True, "active", "active"),
)


def shown(capsys: pytest.CaptureFixture[str], *checks: Check) -> str:
    show_report(Report(1, "gpu-box-1", checks))
    return capsys.readouterr().out


def test_all_proven(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, *GOOD).splitlines()
    assert lines[1].split("  ")[1:] and "chat.0" in lines[1]
    for cell in ("active", "2 as planned", "2-15 as planned", "98.7 % of 21811 MiB"):
        assert f"  {cell}  " in lines[1]
    assert lines[1].endswith("token in 0.21 s")
    assert lines[-1] == "gpu-box-1: 10 of 10 claims proven."
    assert max(map(len, lines)) <= 100


def test_refuted_and_open_claims_are_told_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    bad = Check("chat.0", "cpuset", False, "2-15", "none", "AllowedCPUs= is silently ignored")
    idle = Check("chat.0", "gpus", None, "GPU-a, GPU-b", "none", "no process seen on GPU-b")
    kept = [one for one in GOOD if one.aspect not in ("cpuset", "gpus")]
    out = shown(capsys, *kept, bad, idle)
    row = out.splitlines()[1]
    assert "✘ cpuset: none" in row and "? gpus: none" in row and "2-15 as planned" not in row
    text = " ".join(out.split())
    assert (
        "Not as planned chat.0 cpuset expected 2-15, found none; AllowedCPUs= is silently" in text
    )
    assert "Not proven chat.0 gpus expected GPU-a, GPU-b, found none; no process seen" in text
    assert out.endswith("gpu-box-1: 8 of 10 claims proven, 1 refuted, 1 open.\n")


def test_a_stopped_instance(capsys: pytest.CaptureFixture[str]) -> None:
    out = shown(capsys, Check("chat.0", "unit", False, "active", "failed", "vllm@chat.0.service"))
    assert "✘ unit: failed" in out
    assert "expected active, found failed" in out


def test_nginx_has_lines_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    port = Check("nginx", "port", False, "127.0.0.1:8080", "not on 127.0.0.1:8080")
    out = shown(capsys, *GOOD, port)
    assert "  ✔   nginx   unit   active\n" in out
    assert "  ✘   nginx   port   not on 127.0.0.1:8080\n" in out
