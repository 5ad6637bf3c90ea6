"""What nginx needs beside our files, and what is made for it from the host's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from provision.host.balancer.needs import nginx_needs
from provision.host.balancer.resolver import name_servers, resolver_artifact
from provision.host.bundle import KeyHeader, KeyMap, Nginx
from provision.host.errors import ProvisionError
from provision.host.files import Files
from provision.host.secrets import key_header_artifact, key_map_artifact

NJS = "ngx_http_js_module"
CERTIFICATE = b"-----BEGIN CERTIFICATE-----\n"
KEY = b"-----BEGIN EC PRIVATE KEY-----\n"


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def rules(nginx: Nginx, files: Files) -> list[str]:
    return [one.rule for one in nginx_needs(nginx, files)]


def test_certificate_and_key(files: Files) -> None:
    nginx = Nginx(requires=("/etc/llm/cert.pem", "/etc/llm/key.pem"))
    assert rules(nginx, files) == ["nginx-file-missing"] * 2
    files.write("/etc/llm/cert.pem", b"")
    files.write("/etc/llm/key.pem", KEY, 0o644)
    assert rules(nginx, files) == ["nginx-file-unusable", "secret-readable"]
    files.write("/etc/letsencrypt/cert1.pem", CERTIFICATE, 0o644)
    files.at("/etc/llm/cert.pem").unlink()
    files.at("/etc/llm/cert.pem").symlink_to("../letsencrypt/cert1.pem")
    files.write("/etc/llm/key.pem", KEY, 0o600)
    assert rules(nginx, files) == []


@pytest.mark.parametrize(
    ("system", "command"),
    [("ID=debian\n", "apt install"), ('ID="rocky"\nID_LIKE="rhel centos"\n', "dnf install")],
)
def test_authorities_come_with_a_package(files: Files, system: str, command: str) -> None:
    files.write("/etc/os-release", system.encode())
    (found,) = nginx_needs(Nginx(requires=("/etc/pki/tls/certs/ca-bundle.crt",)), files)
    assert found.hint == f"{command} ca-certificates"


def test_a_module_is_there_when_it_is_loaded(files: Files) -> None:
    nginx = Nginx(modules=(NJS,))
    files.write("/usr/sbin/nginx", b"", 0o755)
    files.write("/etc/nginx/nginx.conf", b"include /etc/nginx/modules-enabled/*.conf;\n")
    (found,) = nginx_needs(nginx, files)
    assert found.rule == "nginx-module-missing" and "not installed" in found.message
    assert found.hint and found.hint.startswith("apt install libnginx-mod-http-js")
    files.write(f"/usr/lib/nginx/modules/{NJS}.so", b"")
    (found,) = nginx_needs(nginx, files)
    assert "does not load it" in found.message
    assert found.hint == f"put `load_module modules/{NJS}.so;` at the top of /etc/nginx/nginx.conf"
    line = f"load_module modules/{NJS}.so;\n"
    files.write("/etc/nginx/modules-enabled/50-mod-http-js.conf", line.encode())
    assert rules(nginx, files) == []
    assert rules(Nginx(), files) == []


def test_name_servers_of_a_resolv_conf() -> None:
    text = "# a\nnameserver 10.0.0.1\n nameserver\t::1 # b\nsearch lan\nnameserver fe80::1%eth0\n"
    text += "nameserver nowhere\nnameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.0.3\n"
    assert name_servers(text) == ("10.0.0.1", "[::1]", "10.0.0.2")


def test_the_resolver_is_made_from_the_hosts_file(files: Files) -> None:
    with pytest.raises(ProvisionError) as missing:
        resolver_artifact(files, "/etc/nginx/provision/resolver.conf")
    assert missing.value.diagnostics[0].rule == "no-resolver"
    files.write("/run/systemd/resolve/stub-resolv.conf", b"nameserver 127.0.0.53\noptions edns0\n")
    files.at("/etc").mkdir(exist_ok=True)
    files.at("/etc/resolv.conf").symlink_to("../run/systemd/resolve/stub-resolv.conf")
    made = resolver_artifact(files, "/etc/nginx/provision/resolver.conf")
    assert made.content == "resolver 127.0.0.53;\nresolver_timeout 5s;\n"
    assert not made.secret and made.mode == 0o644


def test_keys_are_numbered_in_the_owners_order(files: Files) -> None:
    files.write("/etc/llm/keys", b"# ann\nsk-zzzzzzzz\n# bob\nsk-aaaa.aaa\nsk-zzzzzzzz\n", 0o600)
    made = key_map_artifact(files, KeyMap("/etc/llm/keys", "/etc/nginx/provision/keys.map"))
    assert made.content == '"~^Bearer sk-aaaa\\.aaa$" 2;\n"~^Bearer sk-zzzzzzzz$" 1;\n'
    assert (made.secret, made.mode) == (True, 0o600)


def test_a_key_for_elsewhere_is_a_header(files: Files) -> None:
    header = KeyHeader("/etc/llm/backup", "/etc/nginx/provision/backup/root.conf")
    files.write("/etc/llm/backup", b"# theirs\nsk-first-one\nsk-second-one\n", 0o600)
    made = key_header_artifact(files, header)
    assert made.content == 'proxy_set_header Authorization "Bearer sk-first-one";\n'
    assert (made.path, made.secret, made.mode) == (header.target, True, 0o600)
    files.write("/etc/llm/backup", b'sk-aaaaaaaa"; include /etc/shadow; #\n', 0o600)
    with pytest.raises(ProvisionError) as refused:
        key_header_artifact(files, header)
    assert "sk-aaaa" not in str(refused.value)
