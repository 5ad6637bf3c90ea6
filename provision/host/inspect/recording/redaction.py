"""A recording that does not say whose machine it is.

Replaced, everywhere alike: host names, serial numbers, UUIDs of GPUs and whatever else has one,
MAC, InfiniBand and IP addresses, users in paths, the machine's id. PCI addresses stay, and so do
the headers of models, in which lengths are counted.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ...document import from_plain, to_plain
from ..nvidia.answers import NvmlAnswers
from .identities import Identities, identities
from .pseudonyms import Pseudonyms
from .recording import Commands, Kept, Recording

_EFI = "/sys/firmware/efi/"  # its names hold GUIDs of makers, the same on every machine
_SERIAL_CAPABILITY = 0x0003  # PCI_EXT_CAP_ID_DSN
_SOCKETS = re.compile(r"/proc/\d+/net/(?:tcp|udp)6?")

# Tried in this order at each place of a text.
_PATTERNS = {
    "uuid": r"(?<![0-9A-Za-z])[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}(?![0-9A-Za-z-])",
    "device_serial": r"(?<![\w-])(?:[0-9a-f]{2}-){7}[0-9a-f]{2}(?![\w-])",
    "long_mac": r"(?<![\w:])(?:[0-9A-Fa-f]{2}:){19}[0-9A-Fa-f]{2}(?![\w:])",
    "mac": r"(?<![\w:])(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}(?![\w:])",
    "mac_name": r"(?<=enx)[0-9a-f]{12}(?![0-9A-Za-z])",
    "guid": r"(?<![\w:])(?:[0-9a-f]{4}:){3}[0-9a-f]{4}(?![\w:])",
    "ipv6": r"(?<![\w:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:.])",
    "ipv4": r"(?<![\w.-])(?:(?:0|[1-9]\d{0,2})\.){3}(?:0|[1-9]\d{0,2})(?![\w-]|\.\d)",
    "user": r"(?:(?<=/home/)|(?<=/run/media/)|(?<=[,;]username=)|(?<=[,;]user=))"
    r"[^/\s:;,\"'()<>\[\]]+",
    "disk": r"(?:(?<=/disk/by-id/)[^/\s\"',]+"
    r"|(?<=UUID=)(?:[0-9A-F]{4}-[0-9A-F]{4}|[0-9a-f]{8}-[0-9]{2})(?![\w-]))",
    "machine_id": r"(?<![0-9A-Za-z])[0-9a-f]{32}(?![0-9A-Za-z])",
}
_VERSION_BEFORE = re.compile(r"(?i)(?:version|revision|release|firmware|rev|ver)\W{0,20}v?$")


class Redaction:
    """The replacements for one recording."""

    def __init__(self, kept: Kept, salt: bytes | None = None) -> None:
        self._names = Pseudonyms(salt)
        self._byteorder = kept.recording.byteorder
        self._found: Identities = identities(kept)
        self._words: dict[str, str] = dict(self._word_pairs())
        words = sorted(self._words, key=lambda word: (-len(word), word))
        known = rf"(?<![0-9A-Za-z_])(?:{'|'.join(map(re.escape, words)) or '(?!)'})(?![0-9A-Za-z_])"
        parts = [f"(?P<word>{known})"]
        parts += [f"(?P<{name}>{pattern})" for name, pattern in _PATTERNS.items()]
        self._pattern = re.compile("|".join(parts))

    def kept(self, kept: Kept) -> Kept:
        """The recording with every replacement made."""
        recording = from_plain(Recording, self.plain(to_plain(kept.recording)))
        names = recording.names
        if names is not None:
            names = dataclasses.replace(names, hostname=self.hostname(_hostname(kept)))
        nvml = kept.nvml and from_plain(NvmlAnswers, self.plain(to_plain(kept.nvml)))
        return Kept(
            dataclasses.replace(recording, names=names, redacted=True),
            from_plain(Commands, self.plain(to_plain(kept.commands))),
            nvml,
            frozenset(self.text(path) for path in kept.folders),
            {self.text(path): self._target(path, to) for path, to in kept.links.items()},
            {
                self.text(path): data
                if path in kept.recording.partial
                else self._content(path, data)
                for path, data in kept.files.items()
            },
            kept.segments,
        )

    def plain(self, value: Any) -> Any:
        """A JSON value with the replacements made in all its texts, keys too."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(key): self.plain(one) for key, one in value.items()}
        return [self.plain(one) for one in value] if isinstance(value, list) else value

    def text(self, text: str) -> str:
        """A text, path or name with the replacements made."""
        if text.startswith(_EFI):
            return text
        made: str = self._pattern.sub(self._replaced, text)
        return made

    def hostname(self, name: str) -> str:
        """A host's name where nothing else can stand."""
        return name if name in ("", "localhost") else self._names.host(name)

    def _word_pairs(self) -> Iterator[tuple[str, str]]:
        for host in sorted(self._found.hosts):
            yield host, self._names.host(host)
        for serial in sorted(self._found.serials):
            yield serial, self._names.shaped("serial", serial)
        for number in sorted(self._found.numbers):
            other = self._names.number("number", number)
            for form in ("d", "x", "016x", "X", "016X", "#x", "#018x"):
                yield format(number, form), format(other, form)

    def _replaced(self, match: re.Match[str]) -> str:
        kind, value = match.lastgroup or "", match[0]
        digits = value.replace(":", "").replace("-", "")
        if kind == "word":
            return self._words[value]
        if kind == "user":
            return self._names.user(value)
        if kind in ("ipv4", "ipv6"):
            before = match.string[max(0, match.start() - 40) : match.start()]
            return value if _VERSION_BEFORE.search(before) else self._address(value)
        if len(set(digits.lower())) <= 2 and kind != "disk":  # all zeros, all ones, a mask
            return value
        if kind in ("mac", "mac_name"):
            made = self._names.mac(digits)
            made = made.upper() if value.isupper() else made
            pairs = [made[at : at + 2] for at in range(0, 12, 2)]
            return (":" if kind == "mac" else "").join(pairs)
        return self._names.shaped(kind, value.lower() if kind == "uuid" else value)

    def _address(self, text: str) -> str:
        """An IP address. Loopback, wildcard and masks say nothing of a machine."""
        import ipaddress

        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return text
        if address.is_loopback or address.is_unspecified:
            return text
        if isinstance(address, ipaddress.IPv4Address):
            if text.startswith("255."):
                return text
            return str(ipaddress.IPv4Address(self._names.ipv4(int(address))))
        other = ipaddress.IPv6Address(self._names.ipv6(int(address)))
        return other.exploded if len(text) == 39 else str(other)

    def _target(self, path: str, target: str) -> str:
        folder = path.rpartition("/")[0]
        if folder in ("/home", "/run/media") and "/" not in target:
            return self.text(f"{folder}/{target}").rpartition("/")[2]
        return self.text(target)

    def _content(self, path: str, data: bytes) -> bytes:
        name = path.rpartition("/")[2]
        if name == "config" and path.startswith("/sys/devices/"):
            return self._configuration(data)
        if path.startswith(_EFI):
            return data
        text = data.decode("utf-8", "surrogateescape")
        if path in ("/proc/sys/kernel/hostname", "/etc/hostname"):
            return (self.hostname(text.strip()) + "\n").encode("utf-8", "surrogateescape")
        if path in self._found.whole:
            return (self._names.shaped("serial", text.strip()) + "\n").encode()
        if _SOCKETS.fullmatch(path):
            text = "".join(self._socket(line) for line in text.splitlines(keepends=True))
        return self.text(text).encode("utf-8", "surrogateescape")

    def _socket(self, line: str) -> str:
        """A line of /proc/net/tcp, with its addresses in the machine's order of bytes."""
        return re.sub(
            r"(?<= )([0-9A-F]{32}|[0-9A-F]{8})(?=:[0-9A-F]{4} )",
            lambda match: self._hexadecimal(match[1]),
            line,
        )

    def _hexadecimal(self, digits: str) -> str:
        import ipaddress

        words = [digits[at : at + 8] for at in range(0, len(digits), 8)]
        packed = b"".join(int(word, 16).to_bytes(4, self._byteorder) for word in words)
        address = ipaddress.ip_address(packed)
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        made = ipaddress.ip_address(self._address(str(mapped or address))).packed
        packed = packed[:-4] + made if mapped else made
        return "".join(
            f"{int.from_bytes(packed[at : at + 4], self._byteorder):08X}"
            for at in range(0, len(packed), 4)
        )

    def _configuration(self, data: bytes) -> bytes:
        """A PCI function's configuration space without its serial number."""
        made = bytearray(data)
        at, seen = 0x100, set[int]()
        while 0x100 <= at <= len(data) - 12 and at not in seen:
            seen.add(at)
            header = int.from_bytes(data[at : at + 4], "little")
            if header & 0xFFFF == _SERIAL_CAPABILITY:
                number = self._names.shaped("device_serial", data[at + 4 : at + 12].hex())
                made[at + 4 : at + 12] = bytes.fromhex(number)
            at = header >> 20 & 0xFFC
        return bytes(made)


def _hostname(kept: Kept) -> str:
    return kept.recording.names.hostname if kept.recording.names else ""
