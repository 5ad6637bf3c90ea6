"""Does a value look like a secret? A spec is committed, copied and shown: it holds references only.

Ordinary values must pass: paths, numbers, UUIDs, variable names such as CUDA_DEVICE_ORDER. A long
hexadecimal string may be a digest as well as a key; it passes only under a name that says so
(revision, digest, sha256, commit, hash, checksum) or with a `sha256:` in front.
"""

from __future__ import annotations

import itertools
import re

_MOST_READ = 8192  # characters of a value; a longer one is no variable or option
_STRONG = r"PASSWORD|PASSWD|PASSPHRASE|SECRET|CREDENTIALS?"
_SHAPES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("a Hugging Face token", re.compile(r"\bhf_[A-Za-z0-9]{16,}")),
    ("an API key", re.compile(r"\b(?:sk|rk|pk)-[A-Za-z0-9_-]{16,}")),
    ("an NVIDIA API key", re.compile(r"\bnvapi-[A-Za-z0-9_-]{16,}")),
    ("a GitHub token", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,})")),
    ("a GitLab token", re.compile(r"\bglpat-[A-Za-z0-9_-]{16,}")),
    ("a Slack token", re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}")),
    ("an API key", re.compile(r"\b(?:gsk_[A-Za-z0-9]{20,}|AIza[A-Za-z0-9_-]{30,})")),
    ("an AWS access key", re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")),
    ("a JSON web token", re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_.-]{8,}")),
    ("a bearer token", re.compile(r"(?i)\bbearer\s+[A-Za-z0-9._~+/-]{8,}=*")),
    ("a private key", re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")),
    ("a URL with a password in it", re.compile(r"\b[A-Za-z][\w+.-]*://[^/\s:@]*:[^/\s@]+@")),
    (
        "a URL with a key in it",
        re.compile(r"(?i)[?&](?:api_?key|key|token|access_token|password)=[^&\s]{4,}"),
    ),
    (
        "a key in JSON",
        re.compile(
            r"""(?i)["'][\w-]*(?:api[_-]?key|token|password|secret)["']\s*:\s*["'][^"']{6,}"""
        ),
    ),
)
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_DIGEST_WORDS = frozenset({"REVISION", "SHA256", "SHA", "DIGEST", "HASH", "COMMIT", "CHECKSUM"})
# --stop-token "<|im_end|>" and its like name a token of text, not of access.
_TEXT_TOKENS = frozenset(
    {"STOP", "EOS", "BOS", "PAD", "UNK", "SEP", "MASK", "IMAGE", "AUDIO", "THINK", "SPECIAL"}
)
_HARMLESS = re.compile(r"|(?i:true|false|on|off|yes|no|none|auto)|[0-9]{1,8}(?:\.[0-9]+)?")
_MASKS = (
    re.compile(r"(?i)((?:key|token|password|passwd|secret|credentials?)[\"']?\s*[:=]\s*)(\S.*)"),
    re.compile(r"(?i)(-(?:key|token|password|secret)[\"']?[\s,=]+)(\S+)"),
)


def name_says_secret(name: str) -> bool:
    """Whether what has this name holds a secret: HF_TOKEN, --api-key, DB_PASSWORD."""
    words = [word for word in re.split(r"[^A-Z0-9]+", name.upper()) if word]
    if words and words[-1] in {"FILE", "PATH", "DIR", "NAME", "TYPE"}:
        return False
    if any(re.fullmatch(rf"\w*(?:{_STRONG})", word) for word in words):
        return True
    while words and (words[-1].isdigit() or words[-1] in {"ID", "VALUE"}):
        words.pop()
    if not words or not re.fullmatch(r"(?:API|ACCESS|AUTH|HUB|HF)?(?:KEY|TOKEN)|HFT", words[-1]):
        return False
    return not (words[-1] == "TOKEN" and len(words) > 1 and words[-2] in _TEXT_TOKENS)


def why_secret(name: str, value: str) -> str | None:
    """Why this value of a variable or option looks like a secret; None if it does not."""
    value = value[:_MOST_READ]
    for words, shape in _SHAPES:
        if shape.search(value):
            return f"looks like {words}"
    if _is_path(value):
        return None
    if name_says_secret(name) and value.strip():
        strong = re.search(_STRONG, name.upper())
        if strong or not _HARMLESS.fullmatch(value):
            return "is a secret by its name"
    if not _names_digest(name) and _random_run(value):
        return "looks like a key: long and random"
    return None


def secrets_in_args(args: list[str]) -> list[tuple[int, str, str]]:
    """Items of a command line that look like secrets: (position, option, why)."""
    found: list[tuple[int, str, str]] = []
    option = ""
    for at, arg in enumerate(args):
        match = re.match(r"(--?[A-Za-z][\w.-]*)(?:=(.*))?$", arg, re.DOTALL)
        if match and match[2] is None:
            option = match[1]
            continue
        name, value = (match[1], match[2]) if match else (option, arg)
        why = why_secret(name, value)
        if why:
            found.append((at, name or f"item {at + 1}", why))
        option = ""
    return found


def mask(line: str) -> str:
    """A line of text nothing is known of, with asterisks over what looks like a secret."""
    if len(line) > _MOST_READ:
        return ""
    for _, shape in _SHAPES:
        line = shape.sub(lambda match: "*" * len(match[0]), line)
    for pattern in _MASKS:
        line = pattern.sub(lambda match: match[1] + "*" * len(match[2]), line)
    return line


def _is_path(value: str) -> bool:
    return bool(re.match(r"(?:file://)?[/~]|\.{1,2}/|\$\{?[A-Z]", value))


def _names_digest(name: str) -> bool:
    return any(word in _DIGEST_WORDS for word in re.split(r"[^A-Z0-9]+", name.upper()))


def _random_run(value: str) -> bool:
    """Whether a run of letters and digits changes its kind as often as only random ones do.

    A new word of CamelCase begins at about every fifth character, a new kind in base64 and
    hexadecimal keys at about every second.
    """
    rest = re.sub(r"sha256:[0-9a-f]{64}", "", _UUID.sub("", value))
    for run in re.findall(r"[A-Za-z0-9+]{24,}", rest):
        if re.fullmatch(r"[0-9a-f]+|[0-9A-F]+", run) and len(run) < 32:
            continue
        digits = sum(one.isdigit() for one in run)
        if digits >= 2 and len(set(run)) >= 10 and _changes(run) >= 0.3 * len(run):
            return True
    return False


def _changes(run: str) -> int:
    """How often the kind of character changes; a capital before a small letter begins a word."""
    kinds = "".join("d" if one.isdigit() else "u" if one.isupper() else "l" for one in run)
    return sum(a != b and a + b != "ul" for a, b in itertools.pairwise(kinds))
