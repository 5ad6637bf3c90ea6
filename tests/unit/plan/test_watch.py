"""From host.yaml to the watch's settings and the drift timer."""

from __future__ import annotations

from typing import Any

import pytest

from provision.host.bundle import WatchSettings
from provision.plan.plan import Drift
from provision.plan.watch import plan_drift, plan_watch
from provision.spec.read import read_spec

from .machines import spec

CHAT = {"chat": {"engine": "ollama", "model": "llama3.1:8b", "gpus": 0}}


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        ({}, None),
        ({"proxy": {"listen": 8080}}, WatchSettings()),
        ({"proxy": {"listen": 8080, "watch": "off"}}, None),
        (
            {"proxy": {"listen": 8080, "watch": {"interval_seconds": 1, "timeout_seconds": 2.5}}},
            WatchSettings(interval_seconds=1.0, timeout_seconds=2.5),
        ),
        (
            {"proxy": {"listen": 8080, "watch": {"failures": 3, "successes": 1}}},
            WatchSettings(failures=3, successes=1),
        ),
        (
            {"proxy": {"listen": 8080, "watch": {"restart_seconds": "never"}}},
            WatchSettings(restart_seconds=None),
        ),
        (
            {"proxy": {"listen": 8080, "watch": {"restart_seconds": 600}}},
            WatchSettings(restart_seconds=600),
        ),
    ],
)
def test_watch(rest: dict[str, Any], expected: WatchSettings | None) -> None:
    assert plan_watch(read_spec(spec(CHAT, **rest)).spec) == expected


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        ({}, None),
        ({"drift": {}}, Drift(15, None)),
        ({"drift": {"every_minutes": 3, "textfile": "/a/b.prom"}}, Drift(3, "/a/b.prom")),
    ],
)
def test_drift(rest: dict[str, Any], expected: Drift | None) -> None:
    assert plan_drift(read_spec(spec(CHAT, **rest)).spec.drift) == expected
