"""Secrets of the host's owner: read from root-only files, never part of a document."""

from __future__ import annotations

import re

from .bundle import Artifact, Bundle, KeyHeader, KeyMap, SecretReference
from .errors import Diagnostic, ProvisionError
from .files import Files

_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{8,512}={0,2}")  # RFC 6750's b64token, of a useful length


def read_secret(files: Files, reference: SecretReference) -> str:
    """A secret's value: the file's text without the newline at its end.

    Raises ProvisionError `secret-missing` or `secret-unusable` (newline, NUL, not UTF-8, empty);
    a value that cannot stand on one line of an environment file is never cut short in silence.
    """
    content = _content(files, reference.file)
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise ProvisionError(_unusable(reference.file, "is not UTF-8 text")) from None
    text = text[:-1] if text.endswith("\n") else text
    text = text[:-1] if text.endswith("\r") else text
    if not text:
        raise ProvisionError(_unusable(reference.file, "is empty"))
    if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", text):
        raise ProvisionError(
            _unusable(reference.file, "holds a newline or another control character")
        )
    return text


def read_bearer(files: Files, reference: SecretReference) -> str:
    """The key that a probe sends: the first key of the file, whether it holds one or many."""
    text = _content(files, reference.file).decode("utf-8", "replace")
    keys = [line.strip() for line in text.splitlines() if line.strip()]
    chosen = keys if len(keys) == 1 else [key for key in keys if not key.startswith("#")]
    if not chosen:
        raise ProvisionError(_unusable(reference.file, "holds no key"))
    return chosen[0]


def key_map_artifact(files: Files, key_map: KeyMap) -> Artifact:
    """The nginx map of the owner's keys: one `"~^Bearer KEY$" N;` a line, sorted, each once.

    N counts the keys in the order of the owner's file: nginx limits and logs by it, so that no
    key stands anywhere else. Regular expressions, since nginx compares literal entries of a map
    without regard to case.
    """
    text = _content(files, key_map.source).decode("utf-8", "replace")
    keys: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        key = line.strip()
        if not key or key.startswith("#"):
            continue
        if not _TOKEN.fullmatch(key):  # the key itself is not shown
            raise ProvisionError(
                _unusable(
                    key_map.source,
                    f"line {number} is no API key: 8 to 512 of A-Z a-z 0-9 . _ ~ + / - are allowed",
                )
            )
        keys.setdefault(key, len(keys) + 1)
    if not keys:
        raise ProvisionError(_unusable(key_map.source, "holds no key, so nobody could get in"))
    # Of what _TOKEN lets through, only these two mean something to a regular expression.
    escaped = {key: re.sub(r"([.+])", r"\\\1", key) for key in sorted(keys)}
    lines = "".join(f'"~^Bearer {escaped[key]}$" {keys[key]};\n' for key in escaped)
    return Artifact(key_map.target, lines, 0o600, secret=True)


def key_header_artifact(files: Files, header: KeyHeader) -> Artifact:
    """The nginx line that sends the owner's first key along, a `proxy_set_header`."""
    key = read_bearer(files, SecretReference(header.source))
    if not _TOKEN.fullmatch(key):  # the key itself is not shown
        why = "holds no API key: 8 to 512 of A-Z a-z 0-9 . _ ~ + / - are allowed"
        raise ProvisionError(_unusable(header.source, why))
    line = f'proxy_set_header Authorization "Bearer {key}";\n'
    return Artifact(header.target, line, 0o600, secret=True)


def loose_mode(files: Files, path: str) -> str | None:
    """Why a secret file is open to others, None when it is not (or not there)."""
    try:
        status = files.at(path).stat()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
    if status.st_mode & 0o007:
        return f"{path} may be read by every user (mode {status.st_mode & 0o777:04o})"
    return None


def secret_complaints(bundle: Bundle, files: Files) -> list[Diagnostic]:
    """All that is wrong with the secret files that a bundle refers to."""
    found: list[Diagnostic] = []
    looked: set[str] = set()
    for instance in bundle.instances:
        for reference in instance.runtime.secrets.values():
            if reference.file not in looked:
                found += _complaint(files, reference)
            looked.add(reference.file)
    sources = {one.source for one in bundle.key_maps}
    sources |= {one.source for one in bundle.key_headers}
    for path in sorted(looked | sources):
        why = loose_mode(files, path)
        if why:
            found.append(Diagnostic("secret-readable", why, hint=f"chmod 600 {path}"))
    return found


def _complaint(files: Files, reference: SecretReference) -> list[Diagnostic]:
    try:
        read_secret(files, reference)
    except ProvisionError as error:
        return list(error.diagnostics)
    return []


def _content(files: Files, path: str) -> bytes:
    content = files.read(path)
    if content is None:
        raise ProvisionError(
            Diagnostic(
                "secret-missing",
                f"the secret file {path} does not exist",
                hint=f"create it for root alone: install -m 600 /dev/null {path}; editor {path}",
            )
        )
    return content


def _unusable(path: str, why: str) -> Diagnostic:
    return Diagnostic("secret-unusable", f"the secret file {path} {why}")
