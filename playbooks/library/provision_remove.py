#!/usr/bin/python
# Copyright: the provision authors
# SPDX-License-Identifier: Apache-2.0
"""Take everything that provision put on a host away again."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: provision_remove
short_description: Leave a host as it was before provision
version_added: "0.1.0"
description:
  - Stops and removes what provision put on the host and puts back what was there before - GPU
    settings, enabled units. Models are never deleted.
  - On a host without anything of provision nothing is changed.
options:
  root:
    description:
      - Work below this folder and touch no service.
    type: path
    default: /
  agent:
    description:
      - The agent, packed. Sent by the action plugin, never set by hand.
    type: str
requirements:
  - python >= 3.10 on the host
  - the package llm-provision where ansible-playbook runs
attributes:
  check_mode:
    support: full
    description: Predicts what would be removed.
  diff_mode:
    support: full
    description: Shows every file that would go; of secret files only that they do.
seealso:
  - module: provision_apply
author:
  - The provision authors
"""

EXAMPLES = r"""
- name: Leave the host as it was
  provision_remove:
"""

RETURN = r"""
changes:
  description: What was removed or, in check mode, would be; without the files' texts.
  returned: always
  type: dict
steps:
  description: What was done, in order, a line each.
  returned: when something was removed
  type: list
  elements: str
msg:
  description: The changes in one line or, on failure, every complaint with its remedy.
  returned: always
  type: str
"""

# Ansible wants the documentation above the imports.
from ansible.module_utils.basic import AnsibleModule  # noqa: E402
from ansible.module_utils.provision_agent import (  # noqa: E402
    ROOT_OPTIONS,
    diff_of,
    fail,
    run_agent,
    sentence,
    summary,
)


def main():
    module = AnsibleModule(argument_spec=dict(ROOT_OPTIONS), supports_check_mode=True)
    extra = ["--check"] if module.check_mode else []
    code, answer, err = run_agent(module, "remove", extra=extra)
    if answer is None or "changes" not in answer:
        fail(module, "remove", code, answer, err)
    changes = answer["changes"]
    result = {
        "changed": bool(changes.get("files") or changes.get("units"))
        if module.check_mode
        else bool(answer["changed"]),
        "changes": summary(changes),
        "steps": [f"{step['subject']}: {step['text']}" for step in answer.get("steps") or []],
    }
    if module._diff:
        result["diff"] = diff_of(changes)
    code = code or answer.get("exit_code") or 0
    if code and not (module.check_mode and code == 2):
        fail(module, "remove", code, answer, err, **result)
    module.exit_json(msg=sentence(changes, future=module.check_mode), **result)


if __name__ == "__main__":
    main()
