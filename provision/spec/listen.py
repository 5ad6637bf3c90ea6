"""Addresses that nginx listens on, and networks that it lets in."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Listen:
    """An address and a port. address is the canonical IPv4 or IPv6 text, without brackets."""

    address: str
    port: int

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return ipaddress.ip_address(self.address).is_loopback

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}"


class BadListenError(ValueError):
    """Not an address to listen on: the reason, and what to write instead."""

    def __init__(self, reason: str, hint: str | None = None) -> None:
        super().__init__(reason)
        self.hint = hint


def parse_listen(value: int | str) -> Listen:
    """`8080` (loopback), `ADDRESS:PORT` or `[v6]:PORT`. Raises BadListenError."""
    if isinstance(value, int):
        return Listen("127.0.0.1", _port(str(value)))
    text = value.strip()
    if re.fullmatch(r"[0-9]+", text):
        raise BadListenError("a port alone is a number", f"write {text} without quotes")
    if text.startswith("unix:"):
        raise BadListenError("sockets of the file system are not supported", "write ADDRESS:PORT")
    match = re.fullmatch(r"\[([^\]]*)\]:([^:]*)", text) or re.fullmatch(
        r"([^:\[\]]*):([^:]*)", text
    )
    if not match:
        raise BadListenError("it is not ADDRESS:PORT", _hint_for(text))
    host, port = match[1], _port(match[2])
    if host in ("", "*"):
        raise BadListenError("it names no address", f"write 0.0.0.0:{port} for all IPv4 addresses")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise BadListenError(f"{host} is not an IP address", _hint_for(text)) from None
    if address.version == 6 and ("%" in host or address.ipv4_mapped):
        raise BadListenError(f"{host} is an IPv6 address with a zone or an IPv4 address in it")
    if address.version == 6 and not text.startswith("["):
        raise BadListenError("an IPv6 address stands in brackets", f"write [{host}]:{port}")
    return Listen(str(address), port)


def bad_network(text: str) -> BadListenError | None:
    """What is wrong with an address or network of an allow list; None when nothing is."""
    try:
        ipaddress.ip_network(text)
    except ValueError:
        try:
            wide = ipaddress.ip_network(text, strict=False)
        except ValueError:
            return BadListenError(
                "it is not an address or network", "write 10.0.0.0/8 or 192.0.2.7"
            )
        return BadListenError("it has bits set behind its prefix", f"write {wide}")
    if "/" in text and not text.rpartition("/")[2].isdigit():
        return BadListenError("the prefix is not a number", f"write {ipaddress.ip_network(text)}")
    return None


def _port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        raise BadListenError(f"the port is {text or 'missing'}, allowed: 1 to 65535")
    return int(text)


def _hint_for(text: str) -> str | None:
    host, _, port = text.rpartition(":")
    if text.count(":") > 1 and port.isdigit() and _is_address(host):
        return f"write [{host}]:{port}"
    if host.strip("[]").lower() == "localhost" and port.isdigit():
        return f"write 127.0.0.1:{port}"
    if _is_address(text):
        return f"write [{text}]:8080" if ":" in text else f"write {text}:8080"
    return "write the IP address of this host, for example 192.0.2.10:8080"


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
