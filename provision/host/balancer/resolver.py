"""The name servers of this host, written down for nginx, which reads no /etc/resolv.conf."""

from __future__ import annotations

import ipaddress

from ..bundle import Artifact
from ..errors import fail
from ..files import Files

RESOLV_CONF = "/etc/resolv.conf"
_MOST = 3  # resolv.conf(5): MAXNS


def resolver_artifact(files: Files, target: str) -> Artifact:
    """The line `resolver ADDRESS ...;` from the host's /etc/resolv.conf.

    A name is looked up while requests come, and never when nginx reads its configuration: where
    no name server answers then, it would neither start nor reload. ProvisionError `no-resolver`
    where the host names none that nginx can ask.
    """
    content = files.read(RESOLV_CONF)
    servers = name_servers((content or b"").decode("utf-8", "replace"))
    if not servers:
        raise fail(
            "no-resolver",
            f"{RESOLV_CONF} names no server that nginx can ask for the address of a backup",
            "add a line `nameserver ADDRESS`",
        )
    return Artifact(target, f"resolver {' '.join(servers)};\nresolver_timeout 5s;\n")


def name_servers(text: str) -> tuple[str, ...]:
    """The addresses in a resolv.conf(5) as nginx writes them: IPv6 in brackets, no zones."""
    found: list[str] = []
    for line in text.splitlines():
        words = line.split()
        if len(words) < 2 or words[0] != "nameserver":
            continue
        try:
            address = ipaddress.ip_address(words[1])
        except ValueError:
            continue
        if isinstance(address, ipaddress.IPv6Address):
            if address.scope_id is None:
                found.append(f"[{address}]")
        else:
            found.append(str(address))
    return tuple(dict.fromkeys(found))[:_MOST]
