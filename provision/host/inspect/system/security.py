"""What may forbid a service something: Secure Boot, SELinux, AppArmor, firewalls."""

from __future__ import annotations

import re
from typing import Literal

from ...facts import Security
from ..source import Source
from ..tree import Tree
from .firewall import read_firewall

SELinux = Literal["enforcing", "permissive", "disabled"]

_EFI_VARIABLES = "/sys/firmware/efi/efivars"
_GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c"  # EFI_GLOBAL_VARIABLE
_SHIM = "605dab50-e046-4300-abb6-3dd810dd8b23"
# What nginx needs to reach an engine on loopback (can_network_connect: any port; relay: the ports
# that are labelled for http), to set worker_rlimit_nofile, and what keeps compiled kernels from
# running.
_BOOLEANS = (
    "deny_execmem",
    "httpd_can_network_connect",
    "httpd_can_network_relay",
    "httpd_setrlimit",
)
_PROGRAMS = re.compile(r"(?:^|[^a-z])(?:nginx|ollama|vllm|llama|sglang|tabby|ray(?![a-z]))")


def read_security(source: Source) -> Security:
    """The state of each; what only root may read is unknown to others."""
    return Security(
        secure_boot=_secure_boot(source),
        selinux=_selinux(source),
        selinux_booleans=_booleans(source),
        apparmor=parse_flag(source.text("/sys/module/apparmor/parameters/enabled") or ""),
        apparmor_profiles=parse_profiles(
            source.text("/sys/kernel/security/apparmor/profiles") or ""
        ),
        firewall=read_firewall(source),
    )


def parse_profiles(text: str) -> dict[str, str]:
    """AppArmor's profiles of engines and nginx with their mode, from lines `NAME (enforce)`.

    Only the program's own part of a name counts: not its folders, not its child profiles.
    """
    found: dict[str, str] = {}
    for line in text.splitlines():
        match = re.fullmatch(r"(\S.*?) \(([\w-]+)\)", line.strip())
        if match is None:
            continue
        program = match[1].partition("//")[0].rpartition("/")[2]
        if _PROGRAMS.search(program.lower()):
            found[match[1]] = match[2]
    return {name: found[name] for name in sorted(found)}


def parse_flag(text: str) -> bool | None:
    """A module's parameter of yes or no: Y, N, 1, 0."""
    return {"Y": True, "1": True, "N": False, "0": False}.get(text)


def parse_boolean(text: str) -> bool | None:
    """An SELinux boolean: its value now, and the one that waits to be committed: `1 0`."""
    return parse_flag(next(iter(text.split()), ""))


def efi_flag(content: bytes | None) -> bool | None:
    """An EFI variable of one byte behind four bytes of attributes, as efivarfs gives it."""
    if content is None or len(content) < 5 or content[4] > 1:
        return None
    return content[4] == 1


def selinux_of_configuration(text: str) -> str | None:
    """The word after SELINUX= in /etc/selinux/config."""
    match = re.search(r"^\s*SELINUX\s*=\s*(\w+)", text, re.MULTILINE)
    return match[1].lower() if match else None


def _secure_boot(tree: Tree) -> bool | None:
    """Whether the kernel counts as booted securely: as its EFI stub and the shim decide it.

    The firmware's word holds unless it is in setup mode or the shim was told not to verify
    (mokutil --disable-validation). A PC without EFI has no Secure Boot at all.
    """
    secure = efi_flag(tree.head(f"{_EFI_VARIABLES}/SecureBoot-{_GLOBAL}", 8))
    if secure:
        setup = efi_flag(tree.head(f"{_EFI_VARIABLES}/SetupMode-{_GLOBAL}", 8))
        unverified = efi_flag(tree.head(f"{_EFI_VARIABLES}/MokSBStateRT-{_SHIM}", 8))
        return not setup and not unverified
    if secure is None:
        firmware = tree.names("/sys/firmware")
        # memmap is of x86 alone; a container's masked folder and a partial recording lack it.
        return False if "memmap" in firmware and "efi" not in firmware else None
    return secure


def _selinux(tree: Tree) -> SELinux | None:
    enforcing = tree.text("/sys/fs/selinux/enforce")
    if enforcing in ("0", "1"):
        return "enforcing" if enforcing == "1" else "permissive"
    if selinux_of_configuration(tree.text("/etc/selinux/config") or "") == "disabled":
        return "disabled"
    kinds = tree.text("/proc/filesystems") or ""
    # The kernel registers selinuxfs when SELinux is on; a container may not see it mounted.
    return "disabled" if "proc" in kinds.split() and "selinuxfs" not in kinds.split() else None


def _booleans(tree: Tree) -> dict[str, bool]:
    told = {
        name: parse_boolean(tree.text(f"/sys/fs/selinux/booleans/{name}") or "")
        for name in _BOOLEANS
    }
    return {name: value for name, value in told.items() if value is not None}
