"""Merit: by what ways are compared, for what the owner optimises."""

from __future__ import annotations

from .service import Service
from .way import Way

_PROMPT, _ANSWER = 512, 256  # tokens of the request by which latency is judged


def merit(service: Service, way: Way) -> float:
    """More is better; 0 for a way without figures.

    latency: requests a second of one stream with a prompt of 512 tokens and an answer of 256.
    throughput: tokens a second of the full batch. memory: the less memory in all, the better.
    """
    if way.speed is None:
        return 0.0
    if service.optimize == "memory":
        return 1e6 / max(1, sum(way.need_mib))
    if service.optimize == "throughput":
        return way.speed.full.middle
    return quickness(way)


def quickness(way: Way) -> float:
    """Requests a second of one stream; 0 without figures."""
    if way.speed is None:
        return 0.0
    prompt, single = way.speed.prompt.middle, way.speed.single.middle
    if prompt <= 0 or single <= 0:
        return 0.0
    return 1 / (_PROMPT / prompt + _ANSWER / single)


def merit_each(service: Service, way: Way) -> float:
    """Merit for each GPU that it takes: what decides how many a model gets when host.yaml leaves
    it open. A model is not spread over more than pay for themselves."""
    return merit(service, way) / max(way.share, 0.01)


def noun(service: Service) -> str:
    """What merit is, in words."""
    return {
        "latency": "speed of one stream",
        "throughput": "throughput of a full batch",
        "memory": "economy of memory",
    }[service.optimize]
