"""Names in the place of names: of the same form, always the same in one recording, not to be
guessed. The salt is thrown away with this object; without it no value can be tried out."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string

_HEX = re.compile(r"[0-9A-Fa-f:-]+")


class Pseudonyms:
    """One table for one recording."""

    def __init__(self, salt: bytes | None = None) -> None:
        self._salt = secrets.token_bytes(32) if salt is None else salt
        self._known: dict[tuple[str, str], str] = {}
        self._given: set[tuple[str, str]] = set()

    def shaped(self, kind: str, value: str) -> str:
        """Digits for digits, letters for letters (hexadecimal ones in a hexadecimal value)."""
        hexadecimal = _HEX.fullmatch(value) is not None and not value.isdecimal()

        def make(random: bytes) -> str:
            return "".join(
                _alike(char, random[at % len(random)], hexadecimal) for at, char in enumerate(value)
            )

        return self._one(kind, value, make)

    def host(self, name: str) -> str:
        """host-3fa29c; a full name keeps that of the host alone in front."""
        short, dot, domain = name.partition(".")
        own = self._one("host", short, lambda random: f"host-{random.hex()[:6]}")
        if not dot:
            return own
        return (
            f"{own}.{self._one('domain', domain, lambda random: f'net-{random.hex()[:6]}')}.invalid"
        )

    def user(self, name: str) -> str:
        return self._one("user", name, lambda random: f"user-{random.hex()[:6]}")

    def mac(self, digits: str) -> str:
        """Twelve hexadecimal digits: an address that is nobody's (locally administered)."""
        return self._one("mac", digits.lower(), lambda random: "02" + random.hex()[:10])

    def number(self, kind: str, value: int) -> int:
        """A number of as many bits, its highest digit not zero."""
        digits = f"{value:x}"

        def make(random: bytes) -> str:
            return f"{1 + random[0] % 15:x}{random.hex()[2:]}"[: len(digits)]

        return int(self._one(kind, digits, make), 16)

    def ipv4(self, value: int) -> int:
        """An address in 198.18.0.0/15, which is for measurements alone (RFC 2544)."""
        made = self._one("ipv4", str(value), lambda random: str(_low_bits(random, 17)))
        return (198 << 24 | 18 << 16) + int(made)

    def ipv6(self, value: int) -> int:
        """An address in 2001:db8::/32, which is for documents alone (RFC 3849)."""
        made = self._one("ipv6", str(value), lambda random: str(_low_bits(random, 96)))
        return (0x20010DB8 << 96) + int(made)

    def _one(self, kind: str, value: str, make: object) -> str:
        """The pseudonym of a value, made once; no two values of a kind have the same."""
        assert callable(make)
        key = (kind, value)
        counter = 0
        while key not in self._known:
            random = b"".join(self._digest(kind, value, counter, part) for part in range(4))
            made = str(make(random))
            if counter > 1000 or ((kind, made) not in self._given and made != value):
                self._known[key] = made
                self._given.add((kind, made))
            counter += 1
        return self._known[key]

    def _digest(self, *words: object) -> bytes:
        text = "\0".join(map(str, words)).encode("utf-8", "surrogatepass")
        return hmac.new(self._salt, text, hashlib.sha256).digest()


def _alike(char: str, random: int, hexadecimal: bool) -> str:
    if char.isdecimal() and not hexadecimal:
        return string.digits[random % 10]
    if hexadecimal and char in string.hexdigits:
        digit = "0123456789abcdef"[random % 16]
        return digit.upper() if char.isupper() else digit
    if char in string.ascii_uppercase:
        return string.ascii_uppercase[random % 26]
    return string.ascii_lowercase[random % 26] if char.isalpha() else char


def _low_bits(random: bytes, bits: int) -> int:
    return int.from_bytes(random[:16], "big") & ((1 << bits) - 1)
