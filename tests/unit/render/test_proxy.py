"""The proxy's files, and what apply, verify and watch are told of them."""

from __future__ import annotations

import dataclasses
import json

import pytest

from provision.host.balancer.upstreams import UNSET, answer_line
from provision.host.bundle import Bundle, KeyHeader
from provision.host.errors import ProvisionError
from provision.plan.plan import Backup, Proxy, RateLimit, Tls
from provision.render import paths, quoting
from provision.render.bundle import render

from . import plans


def content(bundle: Bundle, path: str) -> str:
    (found,) = [one.content for one in bundle.artifacts if one.path == path]
    return found


def test_each_server_line_has_an_up_and_a_down_form() -> None:
    bundle = render(plans.balanced())
    assert bundle.nginx
    found = {one.path.removeprefix(f"{paths.UPSTREAMS}/"): one for one in bundle.nginx.servers}
    assert list(found) == [
        "path-small/deep.0.conf",
        "path-small/small.0.conf",
        "root.chat/chat.0.conf",
        "root.chat/chat.1.conf",
        "root.deep/deep.0.conf",
        "root.small/small.0.conf",
    ]
    chat = found["root.chat/chat.1.conf"]
    assert (chat.route, chat.instance) == ("root.chat", "chat.1")
    assert chat.up == "server 127.0.0.1:8001 max_conns=16 max_fails=0;\n"
    assert chat.down == "server 127.0.0.1:8001 max_conns=16 max_fails=0 down;\n"
    spare = found["path-small/deep.0.conf"]
    assert spare.up == "server 127.0.0.1:8080 max_fails=0 backup;\n"
    assert spare.down == "server 127.0.0.1:8080 max_fails=0 backup down;\n"
    for one in found.values():
        assert content(bundle, one.path) == one.up


def test_weights_stand_in_the_line() -> None:
    route = plans.route("root", "/", plans.vllm())
    heavy = dataclasses.replace(route, members=(dataclasses.replace(route.members[0], weight=5),))
    nginx = render(plans.plan(plans.vllm(), proxy=Proxy(route.listen, (heavy,)))).nginx
    assert nginx and nginx.servers[0].up == "server 127.0.0.1:8000 weight=5 max_fails=0;\n"


def test_the_answer_is_an_owned_file_and_no_digest_stands_anywhere() -> None:
    bundle = render(plans.two_sockets())
    assert bundle.nginx and bundle.nginx.answer
    assert content(bundle, bundle.nginx.answer) == answer_line(UNSET)
    entry = content(bundle, paths.NGINX)
    assert f"include {bundle.nginx.answer};" in entry and "return 200" not in entry


def test_apply_is_told_what_nginx_needs() -> None:
    bundle = render(plans.balanced())
    assert bundle.nginx
    assert bundle.nginx.requires == (
        "/etc/llm/tls/full chain.pem",
        "/etc/llm/tls/key.pem",
        "/etc/ssl/certs/ca-certificates.crt",
    )
    assert bundle.nginx.modules == ("ngx_http_js_module",)
    assert bundle.nginx.with_backup == ("root.chat", "root.deep", "root.small")
    assert bundle.nginx.resolver == paths.RESOLVER
    assert bundle.nginx.health and bundle.nginx.health.url.startswith("https://127.0.0.1:443/")
    assert bundle.key_headers == (
        KeyHeader("/etc/llm/backup-key", "/etc/nginx/provision/backup/root.conf"),
    )
    made_on_the_host = {paths.RESOLVER, bundle.key_headers[0].target, paths.KEYS}
    assert not made_on_the_host & {one.path for one in bundle.artifacts}
    plain = render(plans.two_sockets()).nginx
    assert plain and (plain.requires, plain.modules, plain.with_backup) == ((), (), ())
    assert plain.resolver is None


def test_probes_name_a_model_and_are_not_counted() -> None:
    probes = {one.name: one.through_proxy for one in render(plans.balanced()).instances}
    models = {}
    for name, probe in probes.items():
        assert probe and probe.body and probe.url.startswith("https://127.0.0.1:443/")
        assert probe.headers["X-Provision-Probe"] == "1"
        models[name] = json.loads(probe.body)["model"]
    big = "meta-llama/Llama-3.3-70B-Instruct-AWQ"
    assert models == {
        "chat.0": big,
        "chat.1": big,
        "small.0": "llama3.1:8b",
        "deep.0": "tiny model",
    }


def test_the_module_knows_each_route() -> None:
    script = content(render(plans.balanced()), paths.BY_MODEL)
    data = script.split("const ROUTES = ", 1)[1].split(";\n", 1)[0]
    routes = json.loads(data)
    assert list(routes) == ["root"]
    assert [one["location"] for one in routes["root"]["pools"]] == [
        "@provision_root.chat",
        "@provision_root.small",
        "@provision_root.deep",
    ]
    assert "/api/chat" in routes["root"]["pools"][1]["paths"]
    entry = content(render(plans.balanced()), paths.NGINX)
    for one in routes["root"]["pools"]:
        assert f"location {one['location']} {{" in entry


@pytest.mark.parametrize(
    ("rate", "written"),
    [(1.0, "1r/s"), (100_000.0, "100000r/s"), (0.5, "30r/m"), (2.5, "150r/m"), (0.0333, "2r/m")],
)
def test_rates_in_nginx_words(rate: float, written: str) -> None:
    plan = plans.two_sockets()
    assert plan.proxy
    proxy = dataclasses.replace(plan.proxy, rate_limit=RateLimit(rate, 0))
    entry = content(render(dataclasses.replace(plan, proxy=proxy)), paths.NGINX)
    assert f"zone=provision_rate:10m rate={written};" in entry
    assert "limit_req zone=provision_rate;" in entry


@pytest.mark.parametrize("path", ["/etc/a$b.pem", "/etc/a\nb.pem"])
def test_paths_that_nginx_would_read_otherwise_are_refused(path: str) -> None:
    plan = plans.two_sockets()
    assert plan.proxy
    proxy = dataclasses.replace(plan.proxy, tls=Tls(path, "/etc/k"))
    with pytest.raises(ProvisionError, match="cannot be written"):
        render(dataclasses.replace(plan, proxy=proxy))


def test_hostile_addresses_elsewhere_stay_words() -> None:
    """The reader lets none of these through; the writer would not either."""
    plan = plans.two_sockets()
    assert plan.proxy
    for url in ("https://a;b/v1", "https://a$b/v1", "https://a/v1;x", "https://a/{}/v1"):
        route = dataclasses.replace(plan.proxy.routes[0], backup=Backup(url=url))
        proxy = dataclasses.replace(plan.proxy, routes=(route,))
        try:
            entry = content(render(dataclasses.replace(plan, proxy=proxy)), paths.NGINX)
        except ProvisionError:
            continue
        assert '"a;b' in entry, "only what stands in a quoted string may hold it"


def test_a_literal_of_javascript_holds_nothing_else() -> None:
    hostile = "a\"';\u2028</script>\n${1}`"
    text = quoting.js_value({"b": hostile, "a": [1]})
    assert json.loads(text) == {"a": [1], "b": hostile}
    assert text.isascii() and "\n$" not in text


@pytest.mark.parametrize("value", ["http", "$a b", "$", "$A", "$a;", "a$b"])
def test_only_variables_are_variables(value: str) -> None:
    with pytest.raises(ProvisionError):
        quoting.nginx_variable(value)


@pytest.mark.parametrize("value", ["/a(b", "/a b", "/a$", "/a+", "/a{1}"])
def test_only_paths_stand_in_patterns(value: str) -> None:
    assert quoting.nginx_pattern("/a.b-c_~/") == "/a[.]b-c_~/"
    with pytest.raises(ProvisionError):
        quoting.nginx_pattern(value)
