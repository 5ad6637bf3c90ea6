"""The controller's half of the Ansible modules: gives each module the agent and its document.

Loaded by the few lines in playbooks/action_plugins/. Ansible loads it once, before it forks for
the hosts, so what is imported here is imported once for the whole fleet.
"""

from __future__ import annotations

import base64
import json
import os
import tempfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

import provision.spec.model  # noqa: F401 -- else each fork would import pydantic for itself
from provision.host.archive import build_agent
from provision.host.document import dumps, to_plain
from provision.host.errors import ProvisionError, fail
from provision.host.facts import InspectRequest
from provision.host.transaction.state import AGENT_FOLDER
from provision.spec.read import read_spec
from provision.spec.request import inspect_request

from . import specs
from .brief import brief
from .compose import facts_of, prepare
from .specs import SpecText

_APPLY_OPTIONS = ("adopt", "overwrite", "no_downtime", "checkpoint")
_AGENT_PREFIX = f"{AGENT_FOLDER}/provision-host-"


class _Action(ActionBase):  # type: ignore[misc] # Ansible ships no types
    """Complaints become the task's message; everything else is the subclass's."""

    def run(self, tmp: str | None = None, task_vars: Any = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            result.update(self.act(task_vars if task_vars is not None else {}))
        except ProvisionError as error:
            result.update(failure(error), failed=True)
        return result

    def act(self, variables: Any) -> dict[str, Any]:
        raise NotImplementedError

    def module(self, variables: Any, agent: bytes | None, **arguments: Any) -> dict[str, Any]:
        """Run the module of the task's name on the host, with the agent beside its arguments."""
        arguments["root"] = specs.plain(self._task.args.get("root", "/"))
        if agent is not None:
            arguments["agent"] = packed(agent)
        result: dict[str, Any] = self._execute_module(
            module_name=self._task.action, module_args=arguments, task_vars=variables
        )
        return result


class InspectAction(_Action):
    """provision_inspect: what to look at is read from the spec here."""

    _VALID_ARGS = frozenset(("spec", "spec_file", "root"))

    def act(self, variables: Any) -> dict[str, Any]:
        arguments = self._task.args
        text = specs.spec_text(
            str(variables["inventory_hostname"]),
            arguments.get("spec"),
            arguments.get("spec_file"),
            variables.get("inventory_dir"),
        )
        return self.module(variables, build_agent(), request=dumps(request_of(text)))


class ApplyAction(_Action):
    """provision_apply: the bundle is read here and goes down on the module's standard input."""

    _VALID_ARGS = frozenset(("src", "bundle", "root", *_APPLY_OPTIONS))

    def act(self, variables: Any) -> dict[str, Any]:
        document = bundle_text(self._task.args.get("src"), self._task.args.get("bundle"))
        agent = None if holds_agent(document) else build_agent()
        wished = {
            name: specs.plain(self._task.args[name])
            for name in _APPLY_OPTIONS
            if name in self._task.args
        }
        return self.module(variables, agent, document=packed(document.encode()), **wished)


class VerifyAction(_Action):
    """provision_verify."""

    _VALID_ARGS = frozenset(("root",))

    def act(self, variables: Any) -> dict[str, Any]:
        return self.module(variables, build_agent())


class RemoveAction(VerifyAction):
    """provision_remove."""


class RenderAction(_Action):
    """provision_render: all hosts at once, on the controller, without any connection."""

    _VALID_ARGS = frozenset(("hosts", "facts_dir"))
    _requires_connection = False

    def act(self, variables: Any) -> dict[str, Any]:
        hosts = specs.plain(self._task.args.get("hosts"))
        if not isinstance(hosts, list):
            raise fail("bad-argument", f"hosts is {hosts!r}, it must be a list of host names")
        facts_dir = specs.plain(self._task.args.get("facts_dir"))
        # Ansible's own temporary folder: 0700, and gone when ansible-playbook ends, however.
        folder = Path(tempfile.mkdtemp(prefix="provision-", dir=constants.DEFAULT_LOCAL_TMP))
        agent = build_agent()
        rendered = {
            host: _rendered(host, variables["hostvars"][host], facts_dir, folder, agent)
            for host in sorted(hosts)
        }
        return {"changed": False, "hosts": rendered}


def _rendered(
    host: str, variables: Mapping[str, Any], facts_dir: str | None, folder: Path, agent: bytes
) -> dict[str, Any]:
    try:
        spec = specs.needed(host, _spec_of(host, variables))
        recorded = specs.recorded_facts(Path(facts_dir), host) if facts_dir else None
        facts = facts_of(recorded or _facts_in(variables), host)
        prepared = prepare(spec, facts, agent)
    except ProvisionError as error:
        return failure(error)
    except AnsibleError as error:  # the host's variables cannot be templated
        return failure(fail("bad-variable", f"{host}: {error}"))
    path = folder / specs.file_name(host)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(dumps(prepared.bundle))
    return {"bundle": str(path), "plan": to_plain(brief(prepared.plan, facts))}


def _spec_of(host: str, variables: Mapping[str, Any]) -> SpecText | None:
    return specs.spec_text(
        host,
        variables.get("provision_spec"),
        variables.get("provision_spec_file"),
        variables.get("inventory_dir"),
    )


def _facts_in(variables: Mapping[str, Any]) -> Any:
    return specs.plain(variables.get("ansible_facts", {}).get("provision"))


def request_of(spec: SpecText | None) -> InspectRequest:
    """What to look at; hardware and services alone for a host without a spec."""
    if spec is None:
        return InspectRequest()
    return inspect_request(read_spec(spec.text, spec.name).spec)


def bundle_text(src: Any, bundle: Any) -> str:
    """The bundle as JSON text, from a file on the controller or from the task itself."""
    if bool(src) == bool(bundle):
        raise fail("bad-argument", "exactly one of src and bundle is needed")
    if not src:
        inline = specs.plain(bundle)
        return inline if isinstance(inline, str) else json.dumps(inline)
    path = Path(specs.plain(src)).expanduser()
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise fail("unreadable", f"{path}: {why}") from None


def packed(data: bytes) -> str:
    """Bytes as a module's argument: zlib, then base64; unpacked() in module_utils undoes it."""
    return base64.b64encode(zlib.compress(data)).decode("ascii")


def holds_agent(document: str) -> bool:
    """Whether a bundle brings its agent, which then runs, so that both are of one version."""
    try:
        artifacts = json.loads(document)["artifacts"]
        return any(one["path"].startswith(_AGENT_PREFIX) for one in artifacts)
    except (ValueError, KeyError, TypeError) as error:
        raise fail("bad-document", f"bundle: this is no bundle: {error!r:.200}") from None


def failure(error: ProvisionError) -> dict[str, Any]:
    """A ProvisionError as a task's result."""
    return {
        "msg": specs.problems_text(error),
        "problems": [to_plain(one) for one in error.diagnostics],
        "exit_code": int(error.exit_code),
        "outcome": error.exit_code.name.lower(),
    }
