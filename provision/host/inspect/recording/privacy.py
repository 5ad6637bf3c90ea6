"""What a recording keeps of a file or a program's output: only what an inspection has need of.

This holds for every recording; redaction.py is about what a reader of the rest could recognise.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence

from ..running.placed import STATE, placements
from ..software.engines import USERS
from ..software.nginx import parse_main

# Of a process: its name, units, limits and sockets. Never its environment, words or memory.
_OF_PROCESS = re.compile(
    r"/proc/\d+/(?:comm|cgroup|status|stat|limits|mounts|mountinfo|cpuset|net/\w+|attr/current"
    r"|task/\d+/children)"
)
_PRIVATE = re.compile(
    r"/etc/(?:g?shadow-?|sudoers(?:\.d/.*)?|krb5\.keytab|ssh/.*|ssl/private/.*|wireguard/.*"
    r"|pki/.*/private/.*|NetworkManager/system-connections/.*)"
    r"|/proc/(?:kcore|kmsg|kallsyms|keys|kpage\w+|sysrq-trigger)"
    r"|/dev/.*"
    r"|/sys/.*/(?:vpd|rom)|/sys/firmware/dmi/(?:tables|entries)/.*|/sys/kernel/debug/.*"
    r"|.*/\.(?:ssh|gnupg|aws|kube|docker|config/gcloud)/.*"
    r"|.*/\.(?:env|netrc|pgpass|htpasswd|git-credentials|bash_history)"
    r"|.*/(?:id_(?:rsa|dsa|ecdsa|ed25519)|token|hf_token|api_key|api_tokens\.ya?ml)"
    r"|.*\.(?:key|pem|p12|pfx|jks|kdbx|keytab|env|token|secret)",
    re.DOTALL,
)
_LISTEN = "0A"  # TCP_LISTEN in the kernel's tables of sockets
_SECRET_SETTING = re.compile(r"(?m)^(\s*(?:Environment|SetCredential\w*)\s*=)(?:.*\\\n)*.*$")
_EXEC = re.compile(r"(?m)^(\s*Exec(?:Start|Stop|Reload|Condition)\w*\s*=)((?:.*\\\n)*.*)$")
_PROGRAM = re.compile(r"(?<![^\s\"'=@:+!|-])/[\w./+@-]+")
_MODEL_SETTINGS = re.compile(
    r"(?:.*/)?(?:(?:adapter_|generation_|hf_quant_|quant_|quantize_|tokenizer_)?config|params"
    r"|model_index|[\w.-]+\.index)\.json",
    re.DOTALL,
)
_OLLAMA = re.compile(
    r".*/(?:manifests/[^/]+/[^/]+/[^/]+/[^/]+|blobs/sha256-[0-9a-f]{64})", re.DOTALL
)
_BRANCH = re.compile(r".*/models--[^/]+/refs/[\w.-]+", re.DOTALL)
# What login shells read: people keep proxies' passwords and keys there.
_SHELL = re.compile(r"/etc/(?:environment|profile|(?:bash\.)?bashrc|(?:profile|environment)\.d/.*)")
_CHAIN_FRAME = re.compile(r"\s*(?:table|chain|type|policy|comment|\}|#|$)")


def is_private(path: str) -> bool:
    """Whether a file's content is never kept. The path is a real one."""
    if path.startswith("/proc/") and path[6:7].isdecimal():
        return not _OF_PROCESS.fullmatch(path)
    return _PRIVATE.fullmatch(path) is not None


def kept_part(path: str, data: bytes) -> bytes:
    """What is kept of a file's content."""
    if path == "/etc/passwd":
        return _changed(data, lambda text: _lines(text, _is_of_an_engine))
    if re.fullmatch(r"/proc/\d+/net/tcp6?", path):
        return _changed(data, lambda text: _lines(text, _is_of_a_listener))
    if path == "/proc/modules":  # with addresses in the kernel's memory, for root
        return re.sub(rb"(?m)\b0x[0-9a-f]+(?=[^\n\w]*(?:\(\w+\))?$)", b"0x0000000000000000", data)
    if path == STATE:
        return _placements_alone(data)
    if _SHELL.fullmatch(path):
        return _changed(data, lambda text: _lines(text, lambda line: "CUDA_DEVICE_ORDER" in line))
    if "/systemd/" in path and path.endswith((".service", ".conf")):
        return _changed(data, unit_without_secrets)
    if "/nginx" in path and path.endswith(".conf"):
        return _changed(data, _modules_alone)
    return data


def unit_without_secrets(text: str) -> str:
    """A unit file without its environment, and with programs but no words in its commands."""
    text = _SECRET_SETTING.sub(r"\1", text)
    return _EXEC.sub(lambda match: match[1] + " ".join(_PROGRAM.findall(match[2])), text)


def kept_output(argv: Sequence[str], text: str) -> str:
    """What is kept of a program's output."""
    program = argv[0].rpartition("/")[2] if argv else ""
    if program in ("journalctl", "dmesg"):
        return _driver_lines(text)
    if program == "nvidia-smi":  # a process's name may be its whole command line there
        return re.sub(r"(?m)^(\s+Name\s+: \S+)[^\n]*$", r"\1", text)
    if program == "systemctl":
        return unit_without_secrets(text)
    if program == "nft" and "chain" in argv:  # that there are rules matters, not which
        lines = text.splitlines()
        return "".join(f"{one if _CHAIN_FRAME.match(one) else '        rule'}\n" for one in lines)
    if program.startswith(("iptables", "ip6tables")):
        words = [line.split() for line in text.splitlines()]
        return "".join(f"{' '.join(one[: 3 if one[:1] == ['-P'] else 2])}\n" for one in words)
    return text


def is_listening(line: str) -> bool:
    """Whether a line of /proc/net/tcp is a listening socket's."""
    words = line.split()
    return len(words) >= 10 and words[3] == _LISTEN


def is_model(paths: Sequence[str], start: bytes) -> bool:
    """Whether a file that a spec names belongs to a model, by its names and first bytes.

    Whatever else a spec names may hold keys.
    """
    if start.startswith(b"GGUF") or any(_BRANCH.fullmatch(path) for path in paths):
        return True
    if is_safetensors(paths):
        return start[8:9] == b"{"
    known = any(_MODEL_SETTINGS.fullmatch(one) or _OLLAMA.fullmatch(one) for one in paths)
    return known and start.lstrip()[:1] == b"{"


def is_safetensors(paths: Sequence[str]) -> bool:
    return any(path.endswith(".safetensors") for path in paths)


def _changed(data: bytes, change: Callable[[str], str]) -> bytes:
    text = change(data.decode("utf-8", "surrogateescape"))
    return text.encode("utf-8", "surrogateescape")


def _lines(text: str, wanted: Callable[[str], bool]) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if wanted(line))


def _is_of_an_engine(line: str) -> bool:
    return line.partition(":")[0] in USERS


def _is_of_a_listener(line: str) -> bool:
    return "local_address" in line or is_listening(line)


def _modules_alone(text: str) -> str:
    """Of a configuration of nginx what it loads and includes: the rest holds names and keys."""
    loads, includes = parse_main(text)
    made = "".join(f"load_module '{one}';\n" for one in loads)
    made += "".join(f"include '{one}';\n" for one in includes)
    return made if parse_main(made) == (loads, includes) else ""


def _driver_lines(text: str) -> str:
    """Of the kernel's log the NVIDIA driver's lines, and how it begins: whether it is whole."""
    first, _, _ = text.partition("\n")
    stamp = re.match(r"\s*(?:<\d+>)?\[\s*[\d.]+\]", first)
    start = stamp[0] if stamp else "Linux version " if "Linux version " in text[:2000] else "-"
    kept = _lines(text, lambda line: "NVRM" in line or "SXid" in line)
    return kept if not text.strip() or kept.startswith(first) else f"{start}\n{kept}"


def _placements_alone(data: bytes) -> bytes:
    """The host's record without the files that were applied. A broken one stays broken."""
    try:
        listed = placements(json.loads(data))
    except (ValueError, RecursionError):
        return b"{"
    return (json.dumps({"placements": listed}, ensure_ascii=False) + "\n").encode(
        "utf-8", "surrogatepass"
    )
