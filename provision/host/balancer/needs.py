"""What nginx needs on this host beside our own files: certificates, their keys, modules."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..bundle import Nginx
from ..errors import Diagnostic
from ..files import Files
from ..inspect.software.nginx import read_nginx
from ..inspect.source import LiveSource, Source
from ..secrets import loose_mode

# Files that packages bring along, and the package, which has the same name everywhere.
_AUTHORITIES = {
    "/etc/ssl/certs/ca-certificates.crt": "ca-certificates",
    "/etc/pki/tls/certs/ca-bundle.crt": "ca-certificates",
    "/etc/ssl/ca-bundle.pem": "ca-certificates",
}
_RED_HAT = {"rhel", "fedora", "centos"}


def nginx_needs(nginx: Nginx, files: Files) -> list[Diagnostic]:
    """Everything that is missing, each with the way to get it; before nginx itself complains.

    Rules: nginx-file-missing, nginx-file-unusable, secret-readable (a private key that every user
    may read), nginx-module-missing.
    """
    found = [one for path in nginx.requires for one in _file(path, files)]
    return found + _modules(nginx.modules, files)


def _file(path: str, files: Files) -> Iterable[Diagnostic]:
    real = files.at(path)
    if not real.exists():
        package = _AUTHORITIES.get(path)
        hint = (
            f"{_install(files)} {package}"
            if package
            else "put it there, or write in host.yaml where it is"
        )
        yield Diagnostic(
            "nginx-file-missing", f"nginx needs {path}, which does not exist", hint=hint
        )
        return
    content = files.read(path)
    if content is None or b"-----BEGIN " not in content:
        yield Diagnostic(
            "nginx-file-unusable",
            f"nginx needs {path} as a file of certificates or keys in PEM form, which it is not",
            hint="a PEM file has lines like -----BEGIN CERTIFICATE-----",
        )
        return
    loose = loose_mode(files, path) if b"PRIVATE KEY-----" in content else None
    if loose:
        yield Diagnostic("secret-readable", loose, hint=f"chmod 600 {path}")


def _modules(wanted: Iterable[str], files: Files) -> list[Diagnostic]:
    """A module is there when the configuration loads its file."""
    missing = list(wanted)
    if not missing:
        return []
    source = LiveSource() if files.live else Source(files.root)
    nginx = read_nginx(source)
    if nginx is None:
        return []  # said by who looks for nginx itself
    found = []
    for module in missing:
        file = f"{module}.so"
        if file in nginx.loaded_modules:
            continue
        if file in nginx.dynamic_modules:
            why = f"{nginx.configuration} does not load it"
            hint = f"put `load_module modules/{file};` at the top of {nginx.configuration}"
        else:
            why, hint = "it is not installed", _module_package(module, files)
        message = f"nginx needs the module {module}, and {why}"
        found.append(Diagnostic("nginx-module-missing", message, hint=hint))
    return found


def _module_package(module: str, files: Files) -> str:
    if module != "ngx_http_js_module":
        return f"install the package that brings {module}.so"
    if _family(files) & _RED_HAT:
        return "dnf install nginx-module-njs, with nginx from nginx.org's repository"
    return "apt install libnginx-mod-http-js; with nginx of nginx.org: nginx-module-njs"


def _install(files: Files) -> str:
    return "dnf install" if _family(files) & _RED_HAT else "apt install"


def _family(files: Files) -> set[str]:
    """The distribution and those it is like, by os-release(5)."""
    text = files.read("/etc/os-release") or files.read("/usr/lib/os-release") or b""
    words = re.findall(r"^ID(?:_LIKE)?=[\"']?([^\"'\n]*)", text.decode("utf-8", "replace"), re.M)
    return {word for line in words for word in line.split()}
