"""Where this host's nginx was built to find its files."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from ..errors import fail
from ..run import run, which


@dataclass(frozen=True, slots=True)
class Build:
    """Where an nginx program was built to find its files."""

    configuration: str = "/etc/nginx/nginx.conf"
    error_log: str = "/var/log/nginx/error.log"

    @property
    def folder(self) -> str:
        """The folder of the whole configuration, without a slash at its end."""
        return self.configuration.rpartition("/")[0]


def parse_build(text: str) -> Build:
    """Read `nginx -V` (it prints to stderr)."""
    found = re.search(r"^configure arguments:(.*)$", text, re.MULTILINE)
    try:
        words = shlex.split(found[1]) if found else []
    except ValueError:
        words = []
    values = dict(word.split("=", 1) for word in words if "=" in word)
    prefix = values.get("--prefix", "/etc/nginx")
    paths = {
        "configuration": values.get("--conf-path", f"{prefix}/conf/nginx.conf"),
        "error_log": values.get("--error-log-path", f"{prefix}/logs/error.log"),
    }
    if not found:
        return Build()
    return Build(**{key: p if p.startswith("/") else f"{prefix}/{p}" for key, p in paths.items()})


def build() -> Build:
    """Where this host's nginx finds its files; ProvisionError `nginx-missing` without one."""
    if which("nginx") is None:
        raise fail("nginx-missing", "nginx is not installed", "apt install nginx, then apply again")
    return parse_build(run(["nginx", "-V"]).err)
