"""Engines that were replaced since a generation was applied."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from provision.host.bundle import Bundle
from provision.host.inspect.source import Source
from provision.host.proof.engine_versions import other_versions
from tests.unit.inspect.tree import Machine

from .bundles import bundle, instance

VLLM, OTHER = "/opt/vllm/bin/vllm", "/opt/other/bin/vllm"


@pytest.fixture
def host(tmp_path: Path) -> Source:
    """vLLM 0.12.0, and one that does not tell its version."""
    machine = Machine(tmp_path)
    machine.file(VLLM, "#!/opt/vllm/bin/python\n")
    machine.file(OTHER, "#!/opt/other/bin/python\n")
    site = "/opt/vllm/lib/python3.12/site-packages/vllm-0.12.0.dist-info"
    machine.file(f"{site}/METADATA", "Name: vllm\nVersion: 0.12.0\n")
    return Source(tmp_path)


def of(*planned: tuple[str, str | None]) -> Bundle:
    """Instances by program and the version that was found when they were planned."""
    made = tuple(
        dataclasses.replace(instance(f"chat.{at}"), engine="vllm", program=program, version=version)
        for at, (program, version) in enumerate(planned)
    )
    return dataclasses.replace(bundle(), instances=made)


def test_another_version_is_told_once(host: Source) -> None:
    (one,) = other_versions(of((VLLM, "0.11.2"), (VLLM, "0.11.2")), host)
    assert (one.rule, one.severity) == ("engine-version", "warning")
    assert one.message == f"{VLLM} has version 0.12.0 now, and had 0.11.2 then"
    assert "by its path" in (one.hint or "")


def test_the_same_and_the_unknown_are_not_told(host: Source) -> None:
    gone = "/opt/gone/bin/vllm"
    same = of((VLLM, "0.12.0"), (VLLM, None), (OTHER, "0.11.2"), (gone, "0.11.2"))
    assert other_versions(same, host) == ()
