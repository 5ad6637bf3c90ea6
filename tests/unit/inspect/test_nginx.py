from __future__ import annotations

from pathlib import Path

import pytest

from provision.host.inspect.software.nginx import (
    modules_folder,
    parse_build,
    parse_main,
    read_nginx,
)
from provision.host.inspect.source import Source

from .answers import Answers
from .tree import Machine

SAID = """\
nginx version: nginx/1.22.1
built with OpenSSL 3.0.8 7 Feb 2023
TLS SNI support enabled
configure arguments: --with-cc-opt='-g -O2' --prefix=/usr/share/nginx \
--conf-path=/etc/nginx/other.conf --modules-path=/usr/lib/nginx/modules \
--with-http_ssl_module --with-http_v2_module --with-http_geoip_module=dynamic --with-stream=dynamic
"""
CONFIGURATION = """\
user www-data; # load_module modules/commented.so;
load_module "modules/ngx_http_js_module.so";
include /etc/nginx/modules-enabled/*.conf;
include extra.conf;
events { worker_connections 768; }
http {
    include mime.types;
    load_module not/here.so;
    log_format x '{ "a": "load_module no.so;" }';
}
load_module /opt/late.so;
"""


def test_build() -> None:
    found = parse_build("/usr/sbin/nginx", SAID)
    assert found.version == "1.22.1"
    assert found.configuration == "/etc/nginx/other.conf"
    assert found.modules == ("http_ssl_module", "http_v2_module")
    assert modules_folder(SAID) == "/usr/lib/nginx/modules"
    assert modules_folder("configure arguments: --prefix=/usr/local/nginx/") == (
        "/usr/local/nginx/modules"
    )


@pytest.mark.parametrize("said", ["", "configure arguments: 'broken", "nginx version: x", "\ufffd"])
def test_a_build_that_is_not_told(said: str) -> None:
    found = parse_build("/usr/sbin/nginx", said)
    assert (found.version, found.modules) == (None, ())
    assert found.configuration == "/etc/nginx/nginx.conf"
    assert modules_folder(said) is None


def test_the_top_level_of_a_configuration() -> None:
    assert parse_main(CONFIGURATION) == (
        ("ngx_http_js_module.so", "late.so"),
        ("/etc/nginx/modules-enabled/*.conf", "extra.conf"),
    )
    assert parse_main("}}} load_module a.so; load_module; 'open") == (("a.so",), ())


def test_modules_that_are_there_and_those_that_are_loaded(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.file("/usr/sbin/nginx", "")
    machine.file("/etc/nginx/other.conf", CONFIGURATION)
    machine.file("/etc/nginx/extra.conf", "load_module modules/ngx_extra.so;\n")
    enabled = "/etc/nginx/modules-enabled"
    machine.file("/usr/share/nginx/geo.conf", "load_module modules/ngx_geo.so;\n")
    machine.link(f"{enabled}/50-geo.conf", "/usr/share/nginx/geo.conf")
    machine.file(f"{enabled}/.hidden.conf", "load_module modules/hidden.so;\n")
    machine.file(f"{enabled}/old.conf.bak", "load_module modules/old.so;\n")
    for name in ("ngx_geo.so", "ngx_http_js_module.so", "README"):
        machine.file(f"/usr/lib/nginx/modules/{name}", "")
    found = read_nginx(Answers(tmp_path, said={"/usr/sbin/nginx -V": SAID}))
    assert found is not None
    assert found.dynamic_modules == ("ngx_geo.so", "ngx_http_js_module.so")
    assert found.loaded_modules == (
        "late.so",
        "ngx_extra.so",
        "ngx_geo.so",
        "ngx_http_js_module.so",
    )


def test_nginx_of_a_recorded_tree(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    assert read_nginx(Source(tmp_path)) is None
    machine.file("/usr/local/openresty/nginx/sbin/nginx", "")
    machine.file("/usr/lib64/nginx/modules/ngx_stream_module.so", "")
    machine.data("/etc/nginx/nginx.conf", b"\xff{{{'\\")
    found = read_nginx(Source(tmp_path))
    assert found is not None
    assert (found.path, found.version) == ("/usr/local/openresty/nginx/sbin/nginx", None)
    assert found.configuration == "/etc/nginx/nginx.conf"
    assert found.dynamic_modules == ("ngx_stream_module.so",)
    assert found.loaded_modules == ()
