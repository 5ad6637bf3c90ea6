"""How systemd reads an environment file and a command line, written down from its manual pages
(systemd.exec(5) EnvironmentFile=, systemd.service(5) "Command lines", systemd.syntax(7)) and from
the behaviour of version 252. tests/system/test_quoting_live.py holds it against the real one.
"""

from __future__ import annotations

_ESCAPES = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "s": " ",
    "\\": "\\",
    '"': '"',
    "'": "'",
}


def read_env_file(text: str) -> dict[str, str]:
    """Variables of an EnvironmentFile=. Invalid ones are dropped there, ValueError here."""
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        if text[at] in " \t\r\n":
            at += 1
        elif text[at] in "#;":
            at = _after_comment(text, at)
        else:
            key, equals, _ = text[at:].partition("=")
            if not equals or "\n" in key:
                raise ValueError(f"no assignment at {text[at : at + 40]!r}")
            value, at = _env_value(text, at + len(key) + 1)
            _must_be_kept(key.strip(), value)
            found[key.strip()] = value
    return found


def _after_comment(text: str, at: int) -> int:
    while at < len(text) and text[at] not in "\n\r":
        at += 2 if text[at] == "\\" else 1
    return at


def _env_value(text: str, at: int) -> tuple[str, int]:
    """The value that starts here, and where the next line starts."""
    value: list[str] = []
    kept = 0  # blanks behind this length are trailing ones, unless more follows
    quote = ""
    while at < len(text):
        one = text[at]
        if quote == "'":
            if one == "'":
                quote = ""
            else:
                value.append(one)
        elif one == "\\" and at + 1 < len(text):
            at += 1
            if text[at] != "\n":
                # within quotes only these are protected, before others the backslash stays
                protects = quote != '"' or text[at] in '"\\`$'
                value.append(text[at] if protects else "\\" + text[at])
        elif quote == '"':
            if one == '"':
                quote = ""
            else:
                value.append(one)
        elif one in "\n\r":
            break
        elif one in "'\"" and kept == len(value):
            quote = one
        elif one in " \t" and not value:
            at += 1
            continue
        else:
            value.append(one)
            if one in " \t":
                at += 1
                continue
        kept = len(value)
        at += 1
    return "".join(value[:kept]), at + 1


def _must_be_kept(key: str, value: str) -> None:
    if not key.isascii() or not key.replace("_", "a").isalnum() or key[0].isdigit():
        raise ValueError(f"name dropped: {key!r}")
    if any((ord(one) < 32 and one not in "\t\n") or one == "\x7f" for one in value):
        raise ValueError(f"value dropped: {value!r}")


def read_command(line: str, environment: dict[str, str]) -> list[list[str]]:
    """Commands of one ExecStart= line (`;` separates them), each with its arguments."""
    if "\n" in line or "\r" in line or line.endswith("\\"):
        raise ValueError("not one line")
    commands: list[list[str]] = [[]]
    rest = line.strip(" \t")
    while rest:
        if rest == ";" or rest.startswith((";" + " ", ";\t")):
            commands.append([])
            rest = rest[1:].lstrip(" \t")
            continue
        word, rest = _word(rest)
        commands[-1] += _expanded(_specifiers(word), environment, first=not commands[-1])
    return commands


def read_paths(line: str) -> list[str]:
    """Paths of RequiresMountsFor= and the like: quotes, a backslash protects any one character."""
    found: list[str] = []
    rest = line.strip(" \t")
    while rest:
        word, rest = _word(rest, escapes=False)
        found.append(_specifiers(word))
    return found


def _word(text: str, escapes: bool = True) -> tuple[str, str]:
    word: list[str] = []
    quote = ""
    at = 0
    while at < len(text):
        one = text[at]
        if one == "\\":
            taken, at = _escape(text, at + 1) if escapes else (text[at + 1], at + 2)
            word.append(taken)
            continue
        if quote:
            if one == quote:
                quote = ""
            else:
                word.append(one)
        elif one in "'\"":
            quote = one
        elif one in " \t":
            break
        else:
            word.append(one)
        at += 1
    if quote:
        raise ValueError(f"unbalanced quotes: {text!r}")
    return "".join(word), text[at:].lstrip(" \t")


def _escape(text: str, at: int) -> tuple[str, int]:
    if text[at] == "x":
        return chr(int(text[at + 1 : at + 3], 16)), at + 3
    if text[at] not in _ESCAPES:
        raise ValueError(f"invalid escape \\{text[at]}")
    return _ESCAPES[text[at]], at + 1


def _specifiers(word: str) -> str:
    made, at = [], 0
    while at < len(word):
        if word[at] == "%":
            if word[at + 1 : at + 2] != "%":
                raise ValueError(f"a specifier was expanded in {word!r}")
            at += 1
        made.append(word[at])
        at += 1
    return "".join(made)


def _expanded(word: str, environment: dict[str, str], *, first: bool) -> list[str]:
    """`$NAME` as a whole word is split, `${NAME}` and `$$` count anywhere; not in the program."""
    if first:
        return [word]
    if word.startswith("$") and word[1:2] not in ("{", "$", ""):
        return environment.get(word[1:], "").split()
    made, at = [], 0
    while at < len(word):
        if word.startswith("$$", at):
            made.append("$")
            at += 2
        elif word.startswith("${", at) and "}" in word[at:]:
            end = word.index("}", at)
            made.append(environment.get(word[at + 2 : end], ""))
            at = end + 1
        else:
            made.append(word[at])
            at += 1
    return ["".join(made)]
