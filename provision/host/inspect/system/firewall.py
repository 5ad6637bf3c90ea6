"""The firewall of the host itself: which program keeps one, or which tables filter what comes in.

Rules are not read, only whether there are any: they may be thousands, and hold addresses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..source import Source

_MOST_CHAINS = 6
_SECONDS = 3.0
_FIREWALLD = ("/usr/sbin/firewalld", "/usr/bin/firewalld")


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain of nftables that sees what comes in."""

    family: str  # ip, ip6, inet
    table: str
    name: str
    drops: bool  # by its policy


def read_firewall(source: Source) -> tuple[str, ...]:
    """The active ones: firewalld, ufw, else nftables or iptables where they filter input.

    The tables are for root's eyes; others learn of firewalld and ufw alone. Where one of these two
    is active, the tables are its own and not asked for.
    """
    found: list[str] = []
    if _is_firewalld_active(source):
        found.append("firewalld")
    if is_ufw_enabled(source.text("/etc/ufw/ufw.conf") or ""):
        found.append("ufw")
    return tuple(found) if found else tuple(sorted(_tables(source)))


def is_ufw_enabled(text: str) -> bool:
    """ENABLED=yes in ufw.conf; its unit is active even when it is not."""
    return re.search(r"^\s*ENABLED\s*=\s*[\"']?yes\b", text, re.MULTILINE | re.I) is not None


def parse_chains(text: str) -> tuple[Chain, ...]:
    """The filtering chains at the input hook in the output of `nft list chains`."""
    found: list[Chain] = []
    family = table = name = ""
    for line in text.splitlines():
        words = line.split()
        if words[:1] == ["table"] and len(words) >= 3:
            family, table = words[1], words[2]
        elif words[:1] == ["chain"] and len(words) >= 2:
            name = words[1]
        elif re.match(r"\s*type filter hook input\b", line) and family in ("inet", "ip", "ip6"):
            found.append(Chain(family, table, name, "policy drop" in line))
    return tuple(found)


def has_rules(text: str) -> bool:
    """Whether a chain in the output of `nft list chain` holds a rule."""
    return any(
        line.strip() not in ("", "}")
        and not re.match(r"\s*(?:table|chain|type|policy|comment|#)\b|\s*#", line)
        for line in text.splitlines()
    )


def is_filtering(text: str) -> bool:
    """Whether `iptables -S INPUT` shows more than the empty chain that accepts."""
    lines = [line.strip() for line in text.splitlines()]
    return any(line.startswith(("-A INPUT", "-P INPUT DROP", "-P INPUT REJECT")) for line in lines)


def _is_firewalld_active(source: Source) -> bool:
    if not any(source.is_file(path) for path in _FIREWALLD):
        return False
    program = source.which("systemctl")
    if program is None:
        return False
    return source.run([program, "is-active", "firewalld.service"]).out.strip() == "active"


def _tables(source: Source) -> set[str]:
    """nftables and iptables; iptables on top of nftables keeps upper case chains in `filter`."""
    found: set[str] = set()
    nft = source.which("nft")
    listed = source.run([nft, "list", "chains"], timeout=_SECONDS) if nft else None
    if nft and listed and listed.ok:
        for chain in parse_chains(listed.out)[:_MOST_CHAINS]:
            if chain.drops or has_rules(_chain_text(source, nft, chain)):
                old = chain.table == "filter" and chain.name == "INPUT" and chain.family != "inet"
                found.add("iptables" if old else "nftables")
    # Only where the old table is loaded already: asking iptables for it would load it.
    for names, program in (("ip_tables_names", "iptables"), ("ip6_tables_names", "ip6tables")):
        if "iptables" in found or "filter" not in (source.text(f"/proc/net/{names}") or "").split():
            continue
        path = source.which(f"{program}-legacy") or source.which(program)
        if path and is_filtering(source.run([path, "-S", "INPUT"], timeout=_SECONDS).out):
            found.add("iptables")
    return found


def _chain_text(source: Source, nft: str, chain: Chain) -> str:
    """One chain without the elements of its sets (-t)."""
    words = [nft, "-t", "list", "chain", chain.family, chain.table, chain.name]
    return source.run(words, timeout=_SECONDS).out
