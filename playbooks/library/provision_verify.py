#!/usr/bin/python
# Copyright: the provision authors
# SPDX-License-Identifier: Apache-2.0
"""Prove that a host runs what was applied to it."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: provision_verify
short_description: Prove that live processes run as planned and real tokens come out
version_added: "0.1.0"
description:
  - Compares what runs on the host with the bundle that was applied last - units, processes, CPU
    and memory pins, GPUs, ports - and asks each instance for one real token, directly and
    through nginx.
  - Fails when one claim does not hold, and says which.
options:
  root:
    description:
      - Look at a tree below this folder instead of the running machine.
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
    description: Verifying changes nothing.
  diff_mode:
    support: none
    description: There is nothing to differ.
seealso:
  - module: provision_apply
author:
  - The provision authors
"""

EXAMPLES = r"""
- name: Prove that everything answers
  provision_verify:
"""

RETURN = r"""
report:
  description: Every claim with what was expected and what was found.
  returned: always, as far as it could be made
  type: dict
msg:
  description: The number of claims that hold or, on failure, those that do not.
  returned: always
  type: str
  sample: "24 of 24 claims hold"
"""

# Ansible wants the documentation above the imports.
from ansible.module_utils.basic import AnsibleModule  # noqa: E402
from ansible.module_utils.provision_agent import ROOT_OPTIONS, fail, run_agent  # noqa: E402


def complaint(check):
    """One refuted claim in words."""
    line = f"{check['subject']}: {check['aspect']} is not as planned"
    if check.get("expected") or check.get("actual"):
        line += f": expected {check.get('expected') or '-'}, found {check.get('actual') or '-'}"
    return line + (f" ({check['detail']})" if check.get("detail") else "")


def main():
    module = AnsibleModule(argument_spec=dict(ROOT_OPTIONS), supports_check_mode=True)
    code, report, err = run_agent(module, "verify")
    if report is None or "checks" not in report:
        fail(module, "verify", code, report, err)
    checks = report["checks"]
    wrong = [one for one in checks if one["ok"] is False]
    if wrong or not checks:
        said = "\n".join(complaint(one) for one in wrong) or "there was nothing to verify"
        module.fail_json(msg=said, report=report, exit_code=7, outcome="not_as_planned")
    held = sum(1 for one in checks if one["ok"])
    module.exit_json(changed=False, report=report, msg=f"{held} of {len(checks)} claims hold")


if __name__ == "__main__":
    main()
