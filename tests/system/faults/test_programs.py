"""Faults of what an instance needs: nginx, its model, its port."""

from __future__ import annotations

import pytest

from .bed import TINY, Bed
from .fault import fault

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]
NGINX = "/usr/sbin/nginx"
COPY, GOES = "/opt/models/copy.gguf", "/opt/models/goes.gguf"
SQUATTER = (
    "systemd-run --quiet --unit=fault-squatter"
    f" /usr/local/bin/llama-server --model {TINY} --host 127.0.0.1 --port 8099\n"
    "for i in $(seq 600); do curl -sf http://127.0.0.1:8099/health && exit 0; sleep 0.1; done"
)


@fault("nginx is not installed any more", 1)
def test_nginx_is_missing(bed: Bed, code: int) -> None:
    bed.want(listen=8090)
    before = bed.picture()
    with bed.missing(NGINX):
        bed.fails(code, "nginx was not found", "apt install nginx")
    bed.is_untouched(before)
    assert (
        bed.run("curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:8090/health; true")
        == "000"
    )


@fault("somebody else's file makes nginx refuse its whole configuration", 1)
def test_nginx_refuses(bed: Bed, code: int) -> None:
    broken = "/etc/nginx/conf.d/broken.conf"
    bed.want(listen=8090)
    bed.run(f"echo 'no_such_directive on;' > {broken}")
    before = bed.picture()
    try:
        bed.fails(code, "no_such_directive", broken)
        bed.is_untouched(before)
    finally:
        bed.run(f"rm {broken}")


@fault("nginx goes away during the apply", 6)
def test_nginx_goes_away(bed: Bed, code: int) -> None:
    before = bed.picture()
    bed.want()
    try:
        with bed.while_mail_starts(f"mv {NGINX} {NGINX}.away"):
            bed.fails(code, "nginx.service", "provision recover")
    finally:
        bed.run(f"mv {NGINX}.away {NGINX}")
    recovered, said = bed.provision("recover")
    assert recovered == 0, said
    bed.is_back(before)


@fault("the model is gone when a saved plan is applied", 1)
def test_model_is_gone_before(bed: Bed, code: int) -> None:
    bed.run(f"cp {TINY} {COPY}")
    bed.want(model=COPY)
    bed.run("provision plan /root/host.yaml -o /root/plan.json")
    before = bed.picture()
    with bed.missing(COPY):
        bed.fails(code, COPY, "hint:", verb="apply /root/plan.json --yes --steady 0")
    bed.is_untouched(before)


@fault("the model goes away between the look and the start", 5)
def test_model_goes_away(bed: Bed, code: int) -> None:
    bed.run(f"cp {TINY} {GOES}")
    mark = bed.want(model=GOES)
    before = bed.picture()
    with bed.while_mail_starts(f"mv {GOES} {GOES}.away"):
        bed.fails(code, "llama-server@mail.0.service", GOES)
    bed.is_back(before)
    bed.run(f"mv {GOES}.away {GOES}")
    bed.heals(mark)


@fault("the model file is damaged", 5)
def test_model_is_damaged(bed: Bed, code: int) -> None:
    bad = "/opt/models/bad.gguf"
    bed.run(f"head -c 300000 {TINY} > {bad}")
    bed.want(model=bad)
    before = bed.picture()
    bed.fails(code, "llama-server@mail.0.service", bad)
    bed.is_back(before)


@fault("another program takes the port between the look and the start", 5)
def test_port_is_taken(bed: Bed, code: int) -> None:
    """By a server that gives tokens: that it answers must not pass for mail's answer."""
    bed.want(port=8099)
    before = bed.picture()
    try:
        with bed.while_mail_starts(SQUATTER):
            bed.fails(code, "8099", "fault-squatter.service")
    finally:
        bed.run("systemctl stop fault-squatter")
    bed.is_back(before)
