"""A host with one instance and all kinds of files, as drift looks at it."""

from __future__ import annotations

from provision.host.balancer.upstreams import answer_line
from provision.host.bundle import (
    Artifact,
    Bundle,
    Expectation,
    Instance,
    InstanceRuntime,
    Nginx,
    UpstreamServer,
)
from provision.host.facts import Placed
from provision.host.transaction.state import State, own_all

TEMPLATE = "/etc/systemd/system/ollama@.service"
DROP_IN = "/etc/systemd/system/ollama@chat.0.service.d/10-provision.conf"
WANTS = "/etc/systemd/system/provision.target.wants/ollama@chat.0.service"
TIMER = "/etc/systemd/system/provision-drift.timer"
TIMER_WANTS = "/etc/systemd/system/timers.target.wants/provision-drift.timer"
CHECK = "/etc/systemd/system/provision-drift.service"
ENV = "/etc/provision/instances/chat.0.env"
LINE = "/etc/nginx/provision/upstreams/chat/chat.0.conf"
ANSWER = "/etc/nginx/provision/answer.conf"
ENTRY = "/etc/nginx/conf.d/provision.conf"
UNIT = "ollama@chat.0.service"
UP, DOWN = "server 127.0.0.1:8000;\n", "server 127.0.0.1:8000 down;\n"


def bundle() -> Bundle:
    texts = {
        TEMPLATE: "[Service]\nType=exec\n",
        DROP_IN: "[Service]\nCPUAffinity=0-3\n",
        TIMER: "[Timer]\nOnCalendar=daily\n",
        CHECK: "[Service]\nType=oneshot\n",
        ENV: "KEY=secret\n",
        LINE: UP,
        ANSWER: answer_line("0" * 64),
        ENTRY: "# ours\n",
    }
    artifacts = [
        Artifact(path, text, 0o600 if path == ENV else 0o644, secret=path == ENV)
        for path, text in texts.items()
    ]
    artifacts.append(Artifact(WANTS, TEMPLATE, kind="link"))
    artifacts.append(Artifact(TIMER_WANTS, TIMER, kind="link"))
    return Bundle(
        version=1,
        host="box",
        tool="0.1.0",
        artifacts=tuple(sorted(artifacts, key=lambda one: one.path)),
        instances=(
            Instance(
                name="chat.0",
                group="chat",
                engine="ollama",
                unit=UNIT,
                digest="d" * 64,
                runtime=InstanceRuntime(1, "chat.0"),
                expectation=Expectation("ollama"),
                placed=Placed("chat.0", "ollama", UNIT, port=8000, ports=(8000,)),
            ),
        ),
        nginx=Nginx(
            configuration=ENTRY,
            servers=(UpstreamServer("chat", "chat.0", LINE, UP, DOWN),),
            answer=ANSWER,
        ),
        takeover=("ollama.service",),
    )


def state() -> State:
    return State(1, 3, "t3", own_all(bundle().artifacts, None), bundle=bundle())
