"""nginx: what it listens on, whom it lets in, and which way leads where."""

from __future__ import annotations

from ..complaints import Complaints
from ..listen import BadListenError, bad_network, parse_listen
from ..model import ProxySpec, UpstreamSpec
from ..subject import quoted
from .instance import check_path


def check(proxy: ProxySpec, complaints: Complaints) -> None:
    """Everything about the proxy that its own keys tell."""
    _check_listen(proxy, complaints)
    _check_allow(proxy, complaints)
    if proxy.keys:
        check_path("proxy: keys.file", proxy.keys.file, complaints, "proxy", "keys", "file")
    seen: dict[str, int] = {}
    for number, upstream in enumerate(proxy.upstreams or ()):
        _check_way(upstream, number, complaints)
        if upstream.path is not None:
            _check_url(upstream.path, number, seen, complaints)


def _check_listen(proxy: ProxySpec, complaints: Complaints) -> None:
    try:
        listen = parse_listen(proxy.listen)
    except BadListenError as bad:
        message = f"proxy: listen is {quoted(str(proxy.listen))}: {bad}"
        complaints.add("bad-listen", message, "proxy", "listen", hint=bad.hint)
        return
    if not listen.loopback and not proxy.keys and not proxy.allow:
        complaints.add(
            "listen-open",
            f"proxy: listen is {listen}, which other machines reach, and neither keys nor allow "
            "says who may",
            *("proxy", "listen"),
            hint="add keys: {file: /etc/provision/keys} or allow: [10.0.0.0/8], "
            f"or write listen: {listen.port} for this machine alone",
        )


def _check_allow(proxy: ProxySpec, complaints: Complaints) -> None:
    seen: set[str] = set()
    for number, text in enumerate(proxy.allow or ()):
        bad = bad_network(text)
        if bad:
            message = f"proxy: allow has {quoted(text)}: {bad}"
            complaints.add("bad-allow", message, "proxy", "allow", number, hint=bad.hint)
        elif text in seen:
            message = f"proxy: allow has {text} twice"
            complaints.add("bad-allow", message, "proxy", "allow", number, hint="remove one")
        seen.add(text)


def _check_way(upstream: UpstreamSpec, number: int, complaints: Complaints) -> None:
    at = ("proxy", "upstreams", number)
    if upstream.path is not None and upstream.port is not None:
        complaints.add(
            "path-and-port",
            f"proxy: upstreams[{number}] has a path and a port",
            *at,
            "port",
            hint="keep one: a path on the proxy's address, or a port of its own",
            key=True,
        )
    if upstream.path is None and upstream.port is None:
        complaints.add(
            "path-or-port",
            f"proxy: upstreams[{number}] has neither a path nor a port",
            *at,
            hint='add path: "/" or port: 8081',
        )


def _check_url(path: str, number: int, seen: dict[str, int], complaints: Complaints) -> None:
    at = ("proxy", "upstreams", number, "path")
    steps = path.strip("/").split("/")
    if path != "/" and any(step in ("", ".", "..") for step in steps):
        message = f"proxy: path is {quoted(path)}; allowed: no //, /./ or /../"
        complaints.add("bad-url-path", message, *at)
        return
    plain = path.rstrip("/") or "/"
    first = seen.setdefault(plain, number)
    if first != number:
        message = f"proxy: the path {path} leads already to upstreams[{first}]"
        complaints.add("path-twice", message, *at, hint="choose another, or join the two")
