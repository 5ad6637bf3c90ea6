#!/usr/bin/python
# Copyright: the provision authors
# SPDX-License-Identifier: Apache-2.0
"""Bring a host to the state of its bundle with the agent of provision."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: provision_apply
short_description: Bring a host to the state that its bundle describes
version_added: "0.1.0"
description:
  - Sends one bundle and the agent of provision to the host, which applies it in one transaction -
    files, GPU settings, instances, nginx - and puts the old state back when a step fails.
  - A file that was edited by hand, or that belongs to somebody else, is a conflict; nothing is
    changed then.
  - C(changed) is the truth. It is false when no file was written and no unit was touched.
options:
  src:
    description:
      - The bundle as a file on the controller. Exactly one of O(src) and O(bundle) is needed.
    type: path
  bundle:
    description:
      - The bundle itself, as a mapping or as its JSON text.
    type: raw
  document:
    description:
      - The bundle, packed. Sent by the action plugin, never set by hand.
    type: str
  root:
    description:
      - Write files and links below this folder and touch no service.
    type: path
    default: /
  agent:
    description:
      - The agent, packed. Sent by the action plugin where the bundle holds none, never set by
        hand.
    type: str
  adopt:
    description:
      - Take over files of somebody else that stand where ours belong. M(provision_remove) puts
        them back.
    type: bool
    default: false
  overwrite:
    description:
      - Write files of ours anew that were edited by hand. A backup is kept on the host.
    type: bool
    default: false
  no_downtime:
    description:
      - Refuse what would leave a service without anybody who serves it for a while.
    type: bool
    default: false
  checkpoint:
    description:
      - Give the present generation a name before it is replaced. It is kept for good.
    type: str
requirements:
  - python >= 3.10 on the host
  - the package llm-provision where ansible-playbook runs
attributes:
  check_mode:
    support: full
    description: Predicts what would change, and fails on what would be refused.
  diff_mode:
    support: full
    description: Shows every file that differs; of secret files only that they do.
notes:
  - Answers only when the instances do; a large model loads for minutes. Keep the connection alive
    with C(ServerAliveInterval) in C(ansible_ssh_common_args).
seealso:
  - module: provision_render
  - module: provision_verify
  - module: provision_remove
author:
  - The provision authors
"""

EXAMPLES = r"""
- name: Apply the bundle that was rendered for this host
  provision_apply:
    src: "{{ provision_rendered.hosts[inventory_hostname].bundle }}"

- name: Apply a bundle that was rendered elsewhere
  provision_apply:
    src: /srv/bundles/gpu-01.json

- name: Apply before an upgrade, with a name to come back to
  provision_apply:
    src: /srv/bundles/gpu-01.json
    checkpoint: before-vllm-0.34
    no_downtime: true

- name: Write into a folder, to look at it
  provision_apply:
    src: /srv/bundles/gpu-01.json
    root: /tmp/gpu-01
"""

RETURN = r"""
changes:
  description: What was changed or, in check mode, would be; without the files' texts.
  returned: always
  type: dict
  contains:
    files:
      description: Paths with what happens to each.
      type: list
      elements: dict
      sample: [{"path": "/etc/systemd/system/provision.target", "action": "create"}]
    units:
      description: Services with what happens to each, and why.
      type: list
      elements: dict
      sample: [{"unit": "vllm@chat.0.service", "action": "start", "why": "not running"}]
steps:
  description: What was done, in order, a line each.
  returned: when something was applied
  type: list
  elements: str
generation:
  description: Number of the state that stands now.
  returned: when something was applied to a live host
  type: int
msg:
  description: The changes in one line or, on failure, every complaint with its remedy.
  returned: always
  type: str
  sample: "12 files created, 3 units started"
outcome:
  description: How it failed.
  returned: failure
  type: str
  choices: [error, conflict, locked, rolled_back, broken]
exit_code:
  description: The agent's exit code, the same as that of C(provision apply).
  returned: failure
  type: int
"""

# Ansible wants the documentation above the imports.
from ansible.module_utils.basic import AnsibleModule  # noqa: E402
from ansible.module_utils.provision_agent import (  # noqa: E402
    ROOT_OPTIONS,
    agent_in,
    diff_of,
    fail,
    run_agent,
    sentence,
    summary,
    unpacked,
)

DIFFERS = 2  # the exit code of a check that would change something


def result_of(module, answer):
    """What an ApplyResult says, in Ansible's form."""
    result = {
        "changed": bool(answer["changed"]),
        "changes": summary(answer["changes"]),
        "steps": [f"{step['subject']}: {step['text']}" for step in answer.get("steps") or []],
        "generation": answer.get("generation"),
    }
    if module._diff:
        result["diff"] = diff_of(answer["changes"])
    return result


def options_of(module):
    """The agent's options for what the task asks for."""
    extra = ["--check"] if module.check_mode else []
    flags = [name for name in ("adopt", "overwrite", "no_downtime") if module.params[name]]
    extra += ["--" + name.replace("_", "-") for name in flags]
    if module.params["checkpoint"] and not module.check_mode:
        extra += ["--checkpoint", module.params["checkpoint"]]
    return extra


def main():
    module = AnsibleModule(
        argument_spec=dict(
            ROOT_OPTIONS,
            src={"type": "path"},
            bundle={"type": "raw", "no_log": True},
            document={"type": "str", "no_log": True},
            adopt={"type": "bool", "default": False},
            overwrite={"type": "bool", "default": False},
            no_downtime={"type": "bool", "default": False},
            checkpoint={"type": "str"},
        ),
        supports_check_mode=True,
    )
    if not module.params["document"]:
        module.fail_json(msg="the bundle did not come along: src or bundle is needed")
    document = unpacked(module.params["document"])
    extra = options_of(module)
    code, answer, err = run_agent(module, "apply", document, extra, agent_in(document))
    if answer is None or "changes" not in answer:
        fail(module, "apply", code, answer, err)
    result = result_of(module, answer)
    code = code or answer.get("exit_code") or 0
    if code and not (module.check_mode and code == DIFFERS):
        fail(module, "apply", code, answer, err, **result)
    module.exit_json(msg=sentence(answer["changes"], future=module.check_mode), **result)


if __name__ == "__main__":
    main()
