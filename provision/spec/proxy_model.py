"""ProxySpec: the part of host.yaml that is about nginx."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, Tag

from .base import (
    PATH_OR_OFF_PATTERN,
    URL_PATH_PATTERN,
    AbsolutePath,
    ByForm,
    Name,
    Port,
    Secret,
    Strict,
    Weight,
)


class BackupSpec(Strict):
    """Where requests go when all instances of an upstream are down or busy: one of both."""

    instances: Annotated[list[Name], Field(min_length=1)] | None = None
    """Other instances of this host, which may serve another model."""
    url: Annotated[str, Field(max_length=2000)] | None = None
    """An OpenAI-compatible endpoint elsewhere, https://api.example.com/v1."""
    key: Secret | None = None
    """The API key that is sent there: a file on the host, for root alone."""


class UpstreamSpec(Strict):
    """One way through the proxy to one or several instances that serve the same models."""

    path: Annotated[str, Field(pattern=URL_PATH_PATTERN)] | None = None
    """URL prefix, "/" or "/large". A prefix is cut off before the request is passed on."""
    port: Port | None = None
    """A port of its own instead of a path; it listens on the same address as the proxy."""
    instances: Annotated[
        Annotated[list[Name], Field(min_length=1), Tag("=list")]
        | Annotated[dict[Name, Weight], Field(min_length=1), Tag("=mapping")],
        ByForm,
    ]
    """Names of instances, or {name: weight}. All replicas of each take part."""
    by_model: bool = False
    """The instances serve different models: a request goes to those that serve the `model` of its
    body, one without a known model gets 404. Needs nginx's njs module."""
    max_in_flight: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Requests that one instance is given at the same time; more go to the others, then to the
    backup, then get 503."""
    backup: BackupSpec | None = None
    """Where requests go when all instances are down or busy."""


class Timeouts(Strict):
    """Time-outs between proxy and instances, in seconds."""

    connect_seconds: Annotated[int, Field(ge=1, le=600)] = 5
    """Until a connection stands."""
    read_seconds: Annotated[int, Field(ge=1, le=86400)] = 3600
    """Between two pieces of an answer; a long prompt is silent for minutes."""
    send_seconds: Annotated[int, Field(ge=1, le=86400)] = 60
    """Between two pieces of the request."""


class TlsSpec(Strict):
    """HTTPS with the owner's certificate."""

    certificate: AbsolutePath
    """The certificate with its chain, PEM."""
    key: AbsolutePath
    """Its private key, PEM, for root alone."""
    http2: bool = True
    """HTTP/2 for clients that ask for it."""


class RateLimitSpec(Strict):
    """How many requests one client may send."""

    requests_per_second: Annotated[float, Field(ge=0.02, le=100_000)]
    """On the average; one in two seconds is 0.5."""
    burst: Annotated[int, Field(ge=0, le=100_000)] = 20
    """So many above it are let through at once; the next get 429."""
    by: Literal["address", "key"] = "address"
    """What makes a client: its address, or its API key."""


class WatchSpec(Strict):
    """A unit that asks every instance for signs of life, and takes those that give none out."""

    interval_seconds: Annotated[float, Field(ge=0.5, le=3600)] = 5.0
    """Between two rounds."""
    timeout_seconds: Annotated[float, Field(ge=0.5, le=600)] = 10.0
    """How long one token may take."""
    failures: Annotated[int, Field(ge=1, le=100)] = 2
    """Rounds in a row without a sign of life after which an instance is taken out: at the latest
    after failures x (interval + timeout) + 3 seconds."""
    successes: Annotated[int, Field(ge=1, le=100)] = 2
    """Tokens in a row after which it is brought back."""
    restart_seconds: Annotated[
        Annotated[int, Field(ge=1, le=86400), Tag("=number")]
        | Annotated[Literal["never"], Tag("=text")],
        ByForm,
    ] = 120
    """So long after it was taken out, a unit that runs and gives no token is restarted."""


class ProxySpec(Strict):
    """nginx in front of the instances."""

    listen: Annotated[Annotated[Port, Tag("=number")] | Annotated[str, Tag("=text")], ByForm]
    """A port (loopback only) or ADDRESS:PORT. A wider address needs keys or allow."""
    upstreams: Annotated[list[UpstreamSpec], Field(min_length=1)] | None = None
    """Ways in. Default: every instance under /NAME/, and the first one also under /."""
    timeouts: Timeouts = Timeouts()
    """Time-outs towards the instances."""
    max_body_mib: Annotated[int, Field(ge=1, le=4096)] = 64
    """Largest request in MiB."""
    keys: Secret | None = None
    """API keys that are let in: a file on the host with one key a line."""
    allow: Annotated[list[str], Field(min_length=1)] | None = None
    """Addresses or networks that are let in: 10.0.0.0/8."""
    tls: TlsSpec | None = None
    """HTTPS instead of HTTP on all listeners."""
    rate_limit: RateLimitSpec | None = None
    """How many requests one client may send; the next get 429."""
    max_connections: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Requests of one client address at the same time; the next get 429."""
    access_log: Annotated[str, Field(pattern=PATH_OR_OFF_PATTERN)] = "/var/log/nginx/provision.log"
    """The access log: a JSON object a line, with the time-outs and addresses of the upstreams. Or
    off."""
    watch: Annotated[
        Annotated[Literal["off"], Tag("=text")] | Annotated[WatchSpec, Tag("=mapping")], ByForm
    ] = WatchSpec()
    """Takes instances that give no token out of the balancer and brings them back. Or off."""
