"""One filter for each format: a value becomes text that its reader takes for that value alone.

Every filter returns `Quoted`, and the template environment prints nothing else, so that a value
can neither be forgotten nor be quoted twice.
"""

from __future__ import annotations

import json
import re

from provision.host.errors import ProvisionError, fail

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_CONTROL_IN_ENV = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")  # systemd lets tab and newline pass
_PLAIN_WORD = re.compile(r"[A-Za-z0-9_@%+=:,./-]+")
_PLAIN_ENV = re.compile(r"[A-Za-z0-9_@%+=:,./-]+")
_NGINX_WORD = re.compile(r"[A-Za-z0-9._~/:@\[\]+,=-]+")
_NGINX_VARIABLE = re.compile(r"\$[a-z_][a-z0-9_]*")
_URL_PATH = re.compile(r"[A-Za-z0-9._~/-]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_C_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}


class Quoted(str):
    """Text that is ready to stand in a file."""

    __slots__ = ()


def systemd_word(value: object) -> Quoted:
    """An argument in ExecStart= (systemd.service(5), "Command lines").

    Order of reading there: quotes and C escapes, then `%` specifiers, then `$` variables.
    """
    text = _checked(value, "a command line")
    if "\0" in text:
        raise _refused(text, "an argument cannot hold a NUL")
    text = text.replace("%", "%%").replace("$", "$$")
    return _systemd_quoted(text)


def systemd_program(value: object) -> Quoted:
    """The program in ExecStart=: an absolute path, in which `$` is not a variable.

    systemd refuses quotes and backslashes in it ("Executable name contains special characters").
    """
    text = _checked(value, "a command line")
    if not text.startswith("/") or _CONTROL.search(text) or set(text) & set("\"'\\"):
        raise _refused(text, "a program is an absolute path without quotes and backslashes")
    return _systemd_quoted(text.replace("%", "%%"))


def systemd_path(value: object) -> Quoted:
    """A path in a list of paths (ReadWritePaths=, RequiresMountsFor=), which know no C escapes."""
    text = _checked(value, "a path")
    if not text.startswith("/") or _CONTROL.search(text):
        raise _refused(text, "a path in a unit is absolute and has no control characters")
    text = text.replace("%", "%%")
    if _PLAIN_WORD.fullmatch(text):
        return Quoted(text)
    return Quoted('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"')


def systemd_value(value: object) -> Quoted:
    """The plain value of a directive, to the end of its line."""
    text = _checked(value, "a unit")
    if _CONTROL.search(text) or text != text.strip() or text.endswith("\\"):
        raise _refused(
            text, "a unit's value is one line, without blanks around it or a backslash at its end"
        )
    return Quoted(text.replace("%", "%%"))


def systemd_text(value: object) -> Quoted:
    """A sentence for people (Description=): what would end the line is shown as `?`."""
    text = _CONTROL.sub("?", _text(value)).encode("utf-8", "replace").decode().strip()
    if text.endswith("\\"):
        text = text[:-1] + "?"
    return Quoted(text.replace("%", "%%"))


def env_name(value: object) -> Quoted:
    """The name of a variable in an EnvironmentFile=; systemd drops all others in silence."""
    text = _text(value)
    if not _VARIABLE.fullmatch(text):
        raise _refused(text, "a variable's name is letters, digits and _, no digit first")
    return Quoted(text)


def env_value(value: object) -> Quoted:
    """A value in an EnvironmentFile= (systemd's env-file.c), where `$` and `%` mean nothing.

    Between double quotes a backslash protects `"`, `\\`, a backquote and `$`; newlines stand for
    themselves. A control character would make systemd drop the whole variable, so it is refused.
    """
    text = _checked(value, "an environment file")
    if _CONTROL_IN_ENV.search(text):
        raise _refused(text, "a variable cannot hold control characters but tab and newline")
    if _PLAIN_ENV.fullmatch(text):
        return Quoted(text)
    return Quoted('"' + re.sub(r'(["\\`$])', r"\\\1", text) + '"')


def nginx_word(value: object) -> Quoted:
    """A bare word of nginx: an address, a path of ours, a number. Nothing needs quotes in it."""
    text = _text(value)
    if not _NGINX_WORD.fullmatch(text):
        raise _refused(text, "nginx takes letters, digits and ._~/:@[]+,=- here")
    return Quoted(text)


def nginx_string(value: object) -> Quoted:
    """A quoted string of nginx. `$` starts a variable there and cannot be escaped."""
    text = _checked(value, "nginx")
    if "$" in text or _CONTROL.search(text):
        raise _refused(text, "nginx takes no $ and no control characters in a value")
    return Quoted('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"')


def nginx_variable(value: object) -> Quoted:
    """The name of a variable of nginx, `$` included."""
    text = _text(value)
    if not _NGINX_VARIABLE.fullmatch(text):
        raise _refused(text, "nginx takes $, then letters, digits and _ here")
    return Quoted(text)


def nginx_pattern(value: object) -> Quoted:
    """A path of ours inside a regular expression of nginx, where it stands for itself."""
    text = _text(value)
    if not _URL_PATH.fullmatch(text):
        raise _refused(text, "nginx takes letters, digits and ._~/- here")
    return Quoted(text.replace(".", "[.]"))


def js_value(value: object) -> Quoted:
    """Data of ours as a literal of JavaScript: JSON in ASCII, keys sorted."""
    if value is None:
        raise TypeError("None has no text: decide before the template")
    if isinstance(value, Quoted):
        raise TypeError(f"quoted twice: {value!r}")
    return Quoted(json.dumps(value, sort_keys=True, indent=4))


def comment(value: object) -> Quoted:
    """Text behind `#`, in any of the formats: printable ASCII, one line, no continuation."""
    return Quoted(re.sub(r"[^ -\[\]-~]", "?", _text(value)))


def shell_word(value: object) -> Quoted:
    """A word of a POSIX shell."""
    text = _checked(value, "a shell script")
    if _CONTROL.search(text):
        raise _refused(text, "a shell word of ours has no control characters")
    if _PLAIN_WORD.fullmatch(text):
        return Quoted(text)
    return Quoted("'" + text.replace("'", "'\\''") + "'")


FILTERS = {
    one.__name__: one
    for one in (
        systemd_word,
        systemd_program,
        systemd_path,
        systemd_value,
        systemd_text,
        env_name,
        env_value,
        nginx_word,
        nginx_string,
        nginx_variable,
        nginx_pattern,
        js_value,
        comment,
        shell_word,
    )
}


def _systemd_quoted(text: str) -> Quoted:
    if _PLAIN_WORD.fullmatch(text):
        return Quoted(text)
    escaped = "".join(_C_ESCAPES.get(one, one) for one in text)
    return Quoted('"' + _CONTROL.sub(lambda one: f"\\x{ord(one[0]):02x}", escaped) + '"')


def _text(value: object) -> str:
    """The value as text: not None, not quoted before."""
    if isinstance(value, Quoted):
        raise TypeError(f"quoted twice: {value!r}")
    if value is None:
        raise TypeError("None has no text: decide before the template")
    return str(value)


def _checked(value: object, where: str) -> str:
    """The same, refused when it is not valid Unicode."""
    text = _text(value)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise _refused(text, f"{where} has to be valid UTF-8") from None
    return text


def _refused(text: str, why: str) -> ProvisionError:
    return fail("cannot-be-written", f"{json.dumps(text)} cannot be written: {why}")
