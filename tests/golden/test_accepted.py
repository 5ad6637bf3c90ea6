"""systemd and nginx accept what every recorded host gets, and have nothing to say about it."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from provision.render.bundle import render
from tests.integration.certificates import OPENSSL, certificate
from tests.integration.nginx_bed import NGINX, NJS, check, lay_out
from tests.integration.test_systemd_accepts import put, systemd_version, verify

from .test_hosts import CASES, plan_of

KEYS = ("sk-a-key-of-the-test",)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
@pytest.mark.parametrize("case", CASES)
def test_systemd_says_nothing(case: str, tmp_path: Path) -> None:
    plan = dataclasses.replace(plan_of(case), systemd=systemd_version())
    bundle = render(plan)
    put(bundle, tmp_path, plan.python)
    assert verify(bundle, tmp_path) == "exit 0"


@pytest.mark.skipif(not NGINX or not OPENSSL, reason="nginx or openssl is not installed")
@pytest.mark.parametrize("case", CASES)
def test_nginx_says_nothing(case: str, tmp_path: Path) -> None:
    plan = plan_of(case)
    if plan.proxy and any(one.pools for one in plan.proxy.routes) and not NJS:
        pytest.skip("nginx's njs module is not installed")
    bundle = render(plan)
    main = lay_out(bundle, tmp_path, keys=KEYS)
    entry = tmp_path / "etc/nginx/conf.d/provision.conf"
    # nginx -t binds: the address of the recorded host is not ours, port 443 needs root.
    text = entry.read_text().replace("listen 192.168.1.20:", "listen 127.0.0.1:")
    text = text.replace("listen 0.0.0.0:443 ", "listen 0.0.0.0:18443 ")
    if plan.proxy and plan.proxy.tls:
        ours = certificate(tmp_path / "tls", "gpu.example.com")
        text = text.replace(f'"{plan.proxy.tls.certificate}"', f'"{ours.certificate}"')
        text = text.replace(f'"{plan.proxy.tls.key}"', f'"{ours.key}"')
        text = text.replace("/etc/ssl/certs/ca-certificates.crt", str(ours.authority))
    entry.write_text(text)
    done = check(main)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
