"""The text of host.yaml before YAML looks at it: encoding, size, characters nobody can see."""

from __future__ import annotations

import re
import unicodedata

from provision.host.errors import Diagnostic, Place, ProvisionError

LARGEST_BYTES = 1 << 20

# What YAML forbids or takes for a line end although no editor shows one (NEL, LS, PS, lone CR).
_CONTROL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]|\r(?!\n)"
)
# What looks like nothing or like a space, or turns the reading direction: pasted from web pages.
_HIDDEN = re.compile("[\u00a0\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")


def decode(data: str | bytes, name: str) -> str:
    """The file's text. Raises ProvisionError: too-large, bad-encoding, control-character."""
    size = len(data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data)
    if size > LARGEST_BYTES:
        raise ProvisionError(
            Diagnostic(
                "too-large",
                f"the file has {size} bytes, at most {LARGEST_BYTES} are read",
                Place(name, 1, 1),
                "is this really a host.yaml?",
            )
        )
    text = data if isinstance(data, str) else _decoded(data, name)
    text = text.removeprefix("\ufeff")  # the byte order mark that Windows editors put first
    found = [_control_complaint(text, one.start(), name) for one in _CONTROL.finditer(text)]
    if found:
        raise ProvisionError(*found[:20])
    return text


def hidden_character(text: str) -> str | None:
    """The first character that cannot be seen, in words: U+00A0 (NO-BREAK SPACE)."""
    match = _HIDDEN.search(text)
    return _in_words(match[0]) if match else None


def _decoded(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        line = before.count("\n") + 1
        column = len(before) - (before.rfind("\n") + 1) + 1
        hint = "save the file as UTF-8"
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            hint = "the file is UTF-16; save it as UTF-8"
        raise ProvisionError(
            Diagnostic(
                "bad-encoding",
                f"the byte 0x{data[error.start]:02x} is not UTF-8",
                Place(name, line, column),
                hint,
            )
        ) from None


def _control_complaint(text: str, at: int, name: str) -> Diagnostic:
    start = text.rfind("\n", 0, at) + 1
    end = text.find("\n", at)
    line = text[start : end if end >= 0 else len(text)].rstrip("\r")
    place = Place(name, text.count("\n", 0, at) + 1, at - start + 1, _CONTROL.sub("?", line))
    return Diagnostic(
        "control-character",
        f"{_in_words(text[at])} must not stand in the file",
        place,
        "remove it; in a value in double quotes it may be written as an escape such as \\u2028",
    )


def _in_words(character: str) -> str:
    name = unicodedata.name(character, "")
    return f"the character U+{ord(character):04X}" + (f" ({name})" if name else "")
