"""nginx on the host: program, version, configuration and the modules it was built with."""

from __future__ import annotations

import re
import shlex

from ..facts import NginxFound
from ..run import run, which
from .tree import Tree

_PLACES = (
    "/usr/sbin/nginx",
    "/usr/local/sbin/nginx",
    "/usr/local/nginx/sbin/nginx",
    "/usr/bin/nginx",
)
_CONFIGURATION = "/etc/nginx/nginx.conf"


def read_nginx(tree: Tree) -> NginxFound | None:
    """The nginx that `which` or the usual places tell; None when there is none."""
    path = which("nginx") if tree.live else None
    path = path or next((one for one in _PLACES if tree.is_file(one)), None)
    if path is None:
        return None
    return parse_build(path, run([path, "-V"], timeout=10).said if tree.live else "")


def parse_build(path: str, said: str) -> NginxFound:
    """The facts in the output of `nginx -V`; of the modules only http ones that are built in."""
    version = re.search(r"^nginx version: \S+?/(\d\S*)", said, re.MULTILINE)
    arguments = re.search(r"^configure arguments:(.*)$", said, re.MULTILINE)
    try:
        words = shlex.split(arguments[1]) if arguments else []
    except ValueError:
        words = []
    configuration = [word.partition("=")[2] for word in words if word.startswith("--conf-path=")]
    modules = {
        match[1] for word in words if (match := re.fullmatch(r"--with-(http_\w+_module)", word))
    }
    return NginxFound(
        path=path,
        version=version[1] if version else None,
        configuration=configuration[-1] if configuration else _CONFIGURATION,
        modules=tuple(sorted(modules)),
    )
