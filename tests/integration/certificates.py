"""Certificates made for a test: an authority of its own, and a server's that it signed."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

OPENSSL = shutil.which("openssl")


@dataclass(frozen=True)
class Certificate:
    """PEM files. authority: who has to be trusted."""

    authority: Path
    certificate: Path
    key: Path

    def served(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context

    def trusted(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.authority))


def certificate(folder: Path, name: str) -> Certificate:
    """A certificate for one DNS name, good for a day."""
    folder.mkdir(parents=True, exist_ok=True)
    key, request, signed = (folder / f"{name}.{kind}" for kind in ("key", "csr", "pem"))
    authority, its_key = folder / f"{name}-ca.pem", folder / f"{name}-ca.key"
    fresh = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    _openssl(
        *("req", "-x509", *fresh, "-keyout", its_key, "-out", authority, "-days", "1"),
        *("-subj", f"/CN=authority of {name}", "-addext", "basicConstraints=critical,CA:true"),
    )
    _openssl("req", *fresh, "-keyout", key, "-out", request, "-subj", f"/CN={name}")
    extensions = folder / f"{name}.ext"
    extensions.write_text(f"subjectAltName=DNS:{name}\n")
    _openssl(
        *("x509", "-req", "-in", request, "-CA", authority, "-CAkey", its_key, "-days", "1"),
        *("-CAcreateserial", "-out", signed, "-extfile", extensions),
    )
    return Certificate(authority, signed, key)


def _openssl(*words: object) -> None:
    assert OPENSSL
    subprocess.run([OPENSSL, *map(str, words)], check=True, capture_output=True)
