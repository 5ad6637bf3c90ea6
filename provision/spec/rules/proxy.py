"""nginx: what it listens on, whom it lets in and how often, and which way leads where."""

from __future__ import annotations

from ..complaints import Complaints
from ..listen import BadListenError, bad_network, parse_listen
from ..model import ProxySpec, UpstreamSpec
from ..subject import quoted
from .instance import check_path

_LEAST_A_MINUTE = 2  # 0.02 a second is the least that may be written


def check(proxy: ProxySpec, complaints: Complaints) -> None:
    """Everything about the proxy that its own keys tell."""
    _check_listen(proxy, complaints)
    _check_allow(proxy, complaints)
    if proxy.keys:
        check_path("proxy: keys.file", proxy.keys.file, complaints, "proxy", "keys", "file")
    if proxy.tls:
        for key in ("certificate", "key"):
            path = getattr(proxy.tls, key)
            _check_nginx_path(f"proxy: tls.{key}", path, complaints, "proxy", "tls", key)
    if proxy.access_log != "off":
        _check_nginx_path("proxy: access_log", proxy.access_log, complaints, "proxy", "access_log")
    _check_rate(proxy, complaints)
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


def _check_nginx_path(label: str, path: str, complaints: Complaints, *at: str | int) -> None:
    """A path that stands in nginx's configuration, where `$` begins a variable."""
    if "$" in path:
        message = f"{label} is {quoted(path)}; nginx takes no $ in a path"
        complaints.add("bad-path", message, *at, hint="give the file another name, or a link to it")
        return
    check_path(label, path, complaints, *at)


def _check_rate(proxy: ProxySpec, complaints: Complaints) -> None:
    """nginx counts whole requests a second, or whole requests a minute."""
    if proxy.rate_limit is None:
        return
    rate = proxy.rate_limit.requests_per_second
    minute = rate * 60
    if abs(round(minute) - minute) > 0.01 * minute:
        near = [whole / 60 for whole in (int(minute), int(minute) + 1) if whole >= _LEAST_A_MINUTE]
        complaints.add(
            "rate-fraction",
            f"proxy: rate_limit.requests_per_second is {rate:g}, {minute:.3g} a minute; nginx "
            "counts whole requests a minute",
            *("proxy", "rate_limit", "requests_per_second"),
            hint=f"write {' or '.join(f'{one:.4g}' for one in near)}",
        )
    if proxy.rate_limit.by == "key" and proxy.keys is None:
        complaints.add(
            "rate-without-keys",
            "proxy: rate_limit.by is key, but there are no keys to tell clients apart",
            *("proxy", "rate_limit", "by"),
            hint="add keys: {file: /etc/provision/keys}, or write by: address",
        )


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
