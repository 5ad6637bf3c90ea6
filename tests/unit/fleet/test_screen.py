"""The lines of a rollout, as a sysadmin reads them."""

from __future__ import annotations

import io

from provision.cli.fleet_screen import FleetScreen, plan_lines, summary_lines
from provision.fleet.brief import Brief, BriefInstance
from provision.fleet.playbooks import Verb
from provision.fleet.result import FileCount, FleetResult, HostResult

PLAN = Brief(
    1,
    "1 socket, 2x RTX 3090",
    (
        BriefInstance("chat.0", "vllm", "m", (0, 1), (0,), "2-15", 8000),
        BriefInstance("tiny.0", "llama-server", "m", (), (), "", 8080),
    ),
    ("127.0.0.1:8080: chat.0",),
    ("GPU 1 runs x4 of x16",),
)
GOOD = HostResult(
    "gpu-01",
    "ok",
    True,
    "12 files created, 3 units restarted",
    seconds=38.2,
    count=FileCount(12, {"restart": 3, "daemon-reload": 1}),
    verified=True,
    plan=PLAN,
)
BAD = HostResult(
    "gpu-04",
    "failed",
    message="error: port 8000 is held by python3 (pid 8121)\n   hint: stop it",
    outcome="rolled_back",
    exit_code=5,
    seconds=12,
)
GONE = HostResult("gpu-05", "unreachable", message="No route to host", exit_code=1)


def shown(*hosts: HostResult, verb: Verb = "apply", check: bool = False) -> list[str]:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    screen = FleetScreen(verb, check, stream)
    for one in hosts:
        screen.host(one)
    stream.seek(0)
    return stream.read().splitlines()


def test_a_line_a_host() -> None:
    assert shown(GOOD, BAD, GONE) == [
        "gpu-01       ✔ 12 files, 3 restarted, verified  38 s",
        "gpu-04       ✘ port 8000 is held by python3 (pid 8121)   rolled back  12 s",
        "                  hint: stop it",
        "gpu-05       ✘ cannot be reached: No route to host",
    ]


def test_check_speaks_of_the_future() -> None:
    told = HostResult("a", "ok", True, "2 files to create", count=FileCount(2))
    assert shown(told, check=True) == ["a            ✔ 2 files to create"]


def test_plans_in_short() -> None:
    lines = shown(HostResult("gpu-01", "ok", plan=PLAN), verb="plan")
    assert lines[0] == "gpu-01       ✔ 1 socket, 2x RTX 3090"
    assert lines[1:] == list(plan_lines(PLAN))
    assert [line.split() for line in plan_lines(PLAN)] == [
        ["chat.0", "vllm", "GPU", "0", "1", "node", "0", "2-15", "8000"],
        ["tiny.0", "llama-server", "no", "GPU", "-", "-", "8080"],
        ["nginx", "127.0.0.1:8080:", "chat.0"],
        ["warning:", "GPU", "1", "runs", "x4", "of", "x16"],
    ]


def test_a_diff_is_shown_below_its_host() -> None:
    one = HostResult(
        "a",
        "ok",
        True,
        "1 file to update",
        diff=({"before": "x=1\n", "after": "x=2\n", "before_header": "/e", "after_header": "/e"},),
    )
    assert shown(one, check=True)[1:] == ["--- /e", "+++ /e", "@@ -1 +1 @@", "-x=1", "+x=2"]


def test_no_host_writes_to_the_terminal_itself() -> None:
    evil = HostResult("a", "failed", message="\x1b[2J\x1b]0;x\x07gone")
    assert not any("\x1b" in line or "\x07" in line for line in shown(evil))


def test_the_summary_says_what_to_run_again() -> None:
    untouched = HostResult("gpu-06", "untouched")
    result = FleetResult(1, "apply", False, (GOOD, BAD, GONE, untouched))
    assert list(summary_lines(result)) == [
        "4 hosts: 1 changed, 1 failed, 1 unreachable, 1 not touched",
        "The others are done. Again for these alone: --limit gpu-04,gpu-05,gpu-06",
    ]
    unchanged = FleetResult(1, "apply", False, (HostResult("a", "ok"),))
    assert list(summary_lines(unchanged)) == ["1 host: 1 unchanged"]
