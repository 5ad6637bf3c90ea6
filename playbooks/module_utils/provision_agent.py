# Copyright: the provision authors
# SPDX-License-Identifier: Apache-2.0
"""What the provision modules share: unpack the agent, run it, read its answer.

This file runs on the host under whatever Python Ansible finds there (3.8 and later), so that an
interpreter that is too old for the agent gets a sentence instead of a syntax error.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import sys
import zlib
from pathlib import Path

MINIMUM = (3, 10)
INSTALLED = "/usr/local/lib/provision/provision-host-"  # where a bundle puts the agent
ROOT_OPTIONS = {
    "root": {"type": "path", "default": "/"},
    # Not secrets, but long or possibly holding some: kept out of logs and of `invocation`. Both
    # are one string each, so that no_log censors that string alone and not every word of it.
    "agent": {"type": "str", "no_log": True},
}
EXIT_NAMES = {
    1: "error",
    2: "differs",
    3: "conflict",
    4: "locked",
    5: "rolled_back",
    6: "broken",
    7: "not_as_planned",
}


def need_python(module):
    """End the module with a remedy where the agent could not run."""
    if sys.version_info >= MINIMUM:
        return
    found = sys.version.split()[0]
    newer = [shutil.which(f"python3.{minor}") for minor in (13, 12, 11, 10)]
    newer = [path for path in newer if path]
    remedy = (
        f"the host has one: set ansible_python_interpreter: {newer[0]}"
        if newer
        else "install one (RHEL 9: dnf install python3.11) and set ansible_python_interpreter"
    )
    module.fail_json(
        msg="provision needs Python 3.10 or later on the host, "
        f"{sys.executable} is {found}: {remedy}"
    )


def unpacked(text):
    """What the action plugin packed: zlib, then base64 (a fifth of the bytes on the wire)."""
    return zlib.decompress(base64.b64decode(text))


def agent_in(document):
    """The agent that travels inside a bundle; None without one."""
    for one in json.loads(document).get("artifacts") or []:
        if one["path"].startswith(INSTALLED) and one.get("encoding") == "base64":
            return base64.b64decode(one["content"])
    return None


def run_agent(module, verb, document=b"", extra=(), agent=None):
    """Run one verb of the agent with the document on stdin.

    Returns (exit code, the JSON answer or None, what stood on stderr). The document never stands
    in a command line or a file.
    """
    need_python(module)
    content = agent or (unpacked(module.params["agent"]) if module.params["agent"] else None)
    if not content:
        module.fail_json(
            msg="the agent did not come along: this module is run through its action plugin, "
            "which lies beside the playbooks of provision (action_plugins/)"
        )
    # tmpdir is Ansible's own (0700) and goes away with the module.
    path = Path(module.tmpdir) / "provision-agent.pyz"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(content)
    try:
        command = [sys.executable, "-I", str(path), verb]
        if module.params["root"] != "/":
            command += ["--root", module.params["root"]]
        code, out, err = module.run_command(command + list(extra), data=document, binary_data=True)
    finally:
        path.unlink()
    try:
        answer = json.loads(out) if out.strip() else None
    except ValueError:
        answer = None
    if not isinstance(answer, dict) and code == 0:
        module.fail_json(msg=f"the agent's answer to {verb} cannot be read: {out!r:.500}")
    return code, answer if isinstance(answer, dict) else None, err.strip()


def text_of(diagnostics):
    """The complaints as a person reads them, one after the other."""
    lines = []
    for one in diagnostics:
        lines.append(f"{one.get('severity') or 'error'}: {one.get('message')}")
        if one.get("hint"):
            lines.append(f"   hint: {one['hint']}")
    return "\n".join(lines)


def fail(module, verb, code, answer, err, **more):
    """End the module with the agent's own words and the name of its exit code."""
    problems = (answer or {}).get("problems") or (answer or {}).get("diagnostics") or []
    said = text_of(problems) or err or f"the agent ended with exit code {code} and said nothing"
    module.fail_json(
        msg=said,
        verb=verb,
        exit_code=code,
        outcome=EXIT_NAMES.get(code, "error"),
        problems=problems,
        **more,
    )


def summary(changes):
    """The changes without the files' texts, for the result."""
    return {
        "files": [
            {"path": one["path"], "action": one["action"]} for one in changes.get("files") or []
        ],
        "units": [
            {"unit": one["unit"], "action": one["action"], "why": one["why"]}
            for one in changes.get("units") or []
        ],
    }


def diff_of(changes):
    """Ansible's diff list. Secrets and binaries show only that they differ."""
    diffs = [_file_diff(one) for one in changes.get("files") or []]
    units = [f"{one['action']} {one['unit']}: {one['why']}\n" for one in changes.get("units") or []]
    if units:
        diffs.append(
            {
                "before_header": "units",
                "after_header": "units",
                "before": "",
                "after": "".join(units),
            }
        )
    return diffs


def _file_diff(change):
    before, after = change.get("before"), change.get("after")
    if change.get("secret") or (before is None and after is None):
        what = "secret" if change.get("secret") else change.get("note") or "binary"
        before = "" if change["action"] == "create" else f"({what})\n"
        after = "" if change["action"] == "remove" else f"({what}, to {change['action']})\n"
    elif before == after and change.get("before_mode") != change.get("after_mode"):
        before = f"mode {_octal(change.get('before_mode'))}\n"
        after = f"mode {_octal(change.get('after_mode'))}\n"
    return {
        "before_header": _header(change["path"], change.get("before_mode")),
        "after_header": _header(change["path"], change.get("after_mode")),
        "before": before or "",
        "after": after or "",
    }


def _header(path, mode):
    return path if mode is None else f"{path} ({_octal(mode)})"


def _octal(mode):
    return "absent" if mode is None else f"{mode:04o}"


def sentence(changes, future):
    """`3 files to create, 1 file updated, 2 units restarted` in one line."""
    words = {
        "create": ("to create", "created"),
        "update": ("to update", "updated"),
        "remove": ("to remove", "removed"),
    }
    units = {
        "start": ("to start", "started"),
        "restart": ("to restart", "restarted"),
        "stop": ("to stop", "stopped"),
        "reload": ("to reload", "reloaded"),
    }
    parts = _counted(changes.get("files") or [], words, "file", future)
    parts += _counted(changes.get("units") or [], units, "unit", future)
    return ", ".join(parts) or "nothing to change"


def _counted(items, words, noun, future):
    parts = []
    for action, (before, after) in words.items():
        number = sum(1 for one in items if one["action"] == action)
        if number:
            plural = noun if number == 1 else noun + "s"
            parts.append(f"{number} {plural} {before if future else after}")
    return parts
