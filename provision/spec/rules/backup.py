"""Where requests go when all instances of an upstream are down or busy."""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Collection
from urllib.parse import SplitResult, urlsplit

from ..complaints import Complaints
from ..model import BackupSpec, HostSpec, UpstreamSpec
from ..subject import quoted
from .instance import check_path

_HOST = re.compile(r"(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)*/?")
_EXAMPLE = "https://api.example.com/v1"


def check(spec: HostSpec, complaints: Complaints, known: Collection[str] = ()) -> None:
    """The backups of all upstreams. known: names with complaints of their own."""
    names = {*spec.instances, *known}
    for number, upstream in enumerate((spec.proxy and spec.proxy.upstreams) or ()):
        if upstream.backup is not None:
            _check_form(upstream.backup, number, complaints)
            _check_instances(upstream, upstream.backup, number, names, complaints)


def _check_form(backup: BackupSpec, number: int, complaints: Complaints) -> None:
    """One of both, and a key only where it is sent."""
    at = ("proxy", "upstreams", number, "backup")
    if backup.instances is None and backup.url is None:
        complaints.add(
            "backup-empty",
            f"proxy: upstreams[{number}].backup names neither instances nor a url",
            *at,
            hint=f"write instances: [NAME] or url: {_EXAMPLE}",
            key=True,
        )
    elif backup.instances is not None and backup.url is not None:
        complaints.add(
            "backup-both",
            f"proxy: upstreams[{number}].backup names instances and a url",
            *at,
            "url",
            hint="keep one of them",
            key=True,
        )
    if backup.key is not None:
        label = f"proxy: upstreams[{number}].backup.key.file"
        check_path(label, backup.key.file, complaints, *at, "key", "file")
        if backup.url is None:
            complaints.add(
                "backup-key",
                f"proxy: upstreams[{number}].backup has a key, but no url to send it to",
                *at,
                "key",
                hint="remove it: instances of this host are asked without one",
                key=True,
            )
    if backup.url is not None:
        _check_url(backup.url, number, complaints)


def _check_url(url: str, number: int, complaints: Complaints) -> None:
    wrong = _wrong_with(url)
    if wrong:
        reason, hint = wrong
        complaints.add(
            "bad-url",
            f"proxy: upstreams[{number}].backup.url is {quoted(_shown(url))}: {reason}",
            *("proxy", "upstreams", number, "backup", "url"),
            hint=hint,
        )


def _wrong_with(url: str) -> tuple[str, str | None] | None:
    """What is wrong with the address of an endpoint, and what to write instead."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "it is no address of an endpoint", f"for example {_EXAMPLE}"
    if parts.scheme not in ("http", "https"):
        return "it begins with neither https:// nor http://", f"for example {_EXAMPLE}"
    if "@" in parts.netloc:
        return "it holds a name or password", "write key: {file: /etc/provision/backup-key}"
    if parts.query or parts.fragment or "?" in url or "#" in url:
        return "it holds ? or #", "write it up to the end of its path"
    if port == 0:
        return "its port is 0", None
    if not _PATH.fullmatch(parts.path) or any(
        step in (".", "..") for step in parts.path.split("/")
    ):
        return "its path may hold letters, digits and . _ ~ - between single /", None
    return _wrong_with_host(parts, host)


def _wrong_with_host(parts: SplitResult, host: str) -> tuple[str, str | None] | None:
    """A key is sent only to who shows a certificate for that name, or to a fixed address."""
    literal = _is_literal(host)
    if not literal and not _HOST.fullmatch(host):
        return "it names no host", f"for example {_EXAMPLE}"
    if parts.scheme == "https" and literal:
        return "nginx checks certificates for names, not for addresses", "write the host's name"
    if parts.scheme == "http" and not literal:
        return (
            "without TLS nobody knows who answers for a name",
            "write https://, or http:// with an address of your own network",
        )
    return None


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return "%" not in host


def _shown(url: str) -> str:
    """The address without what may be secret in it: a password, a key behind `?`."""
    return re.sub(r"([?#]).*", r"\1***", re.sub(r"//[^/@]*@", "//***@", url), flags=re.DOTALL)


def _check_instances(
    upstream: UpstreamSpec,
    backup: BackupSpec,
    number: int,
    names: Collection[str],
    complaints: Complaints,
) -> None:
    seen: set[str] = set()
    for item, name in enumerate(backup.instances or ()):
        at = ("proxy", "upstreams", number, "backup", "instances", item)
        words = f"proxy: upstreams[{number}].backup names {name}"
        if name not in names:
            near = difflib.get_close_matches(name, sorted(names), n=1)
            hint = f"did you mean {near[0]}?" if near else f"instances: {', '.join(sorted(names))}"
            complaints.add(
                "unknown-instance", f"{words}, but there is no such instance", *at, hint=hint
            )
        elif name in upstream.instances:
            complaints.add(
                "backup-is-member",
                f"{words}, which serves this upstream already",
                *at,
                hint="name another instance, or remove it here or there",
            )
        elif name in seen:
            complaints.add("member-twice", f"{words} twice", *at, hint="remove one")
        seen.add(name)
