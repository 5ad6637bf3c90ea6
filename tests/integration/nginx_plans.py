"""Plans with one route, as the tests of nginx need them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from provision.plan.plan import Backup, Member, Plan, Proxy
from tests.unit.render import plans


def one_route(
    listen: int,
    *ports: int,
    path: str = "/",
    route: Mapping[str, Any] | None = None,
    plan: Mapping[str, Any] | None = None,
    **proxy: Any,
) -> Plan:
    """All ports behind one path, as instances of vLLM. The rest changes route, plan and proxy."""
    members = [plans.vllm(f"chat.{at}", port=port) for at, port in enumerate(ports)]
    made = plans.route("chat", path, *members, listen=f"127.0.0.1:{listen}")
    made = dataclasses.replace(made, **(route or {}))
    return plans.plan(*members, proxy=Proxy(made.listen, (made,), **proxy), **(plan or {}))


def spare(*ports: int) -> Backup:
    """Other instances of this host."""
    return Backup(tuple(Member(f"spare.{at}", port) for at, port in enumerate(ports)))


def by_model(listen: int, ports: Sequence[int], path: str = "/") -> Plan:
    """One of each engine behind one path, chosen by model: vLLM, Ollama, llama-server."""
    chat, small, deep = ports
    launches = (
        plans.vllm(port=chat, args=("--served-model-name", "big", "gpt-4")),
        plans.ollama(port=small, models=("llama3.1:8b", "phi4:latest")),
        plans.llama(port=deep),
    )
    made = plans.by_model("root", path, *launches, listen=f"127.0.0.1:{listen}")
    return plans.plan(*launches, proxy=Proxy(made.listen, (made,)))
