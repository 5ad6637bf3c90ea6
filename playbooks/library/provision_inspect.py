#!/usr/bin/python
# Copyright: the provision authors
# SPDX-License-Identifier: Apache-2.0
"""Inspect a host with the agent of provision."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: provision_inspect
short_description: Find out what a GPU host is and what runs on it
version_added: "0.1.0"
description:
  - Runs the agent of provision on the host and brings its facts up - CPUs, NUMA nodes, GPUs and
    their links, engines, nginx, listeners, and which unit owns what.
  - Nothing is installed and nothing is changed; the agent lies in Ansible's temporary folder for
    as long as the task takes.
  - What to look at besides hardware (model files, virtual environments, key files) is read from
    the host's spec on the controller.
options:
  spec:
    description:
      - The host's spec (the content of a C(host.yaml)) as a mapping.
    type: dict
  spec_file:
    description:
      - The host's spec as a file on the controller, absolute or relative to the inventory.
    type: path
  request:
    description:
      - The inspection request as JSON text. Made by the action plugin from the spec.
    type: str
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
    description: Inspecting changes nothing.
  diff_mode:
    support: none
    description: There is nothing to differ.
seealso:
  - module: provision_render
  - module: provision_apply
author:
  - The provision authors
"""

EXAMPLES = r"""
- name: Inspect every host
  provision_inspect:
    spec: "{{ provision_spec }}"

- name: Inspect with the spec in a file beside the inventory
  provision_inspect:
    spec_file: specs/gpu-01.yaml
"""

RETURN = r"""
ansible_facts:
  description: The facts, a versioned document, as C(ansible_facts.provision).
  returned: success
  type: dict
  contains:
    provision:
      description: The same document that C(provision inspect --json) prints.
      type: dict
findings:
  description: What the inspection noticed, one sentence each.
  returned: success
  type: list
  elements: str
"""

# Ansible wants the documentation above the imports.
from ansible.module_utils.basic import AnsibleModule  # noqa: E402
from ansible.module_utils.provision_agent import ROOT_OPTIONS, fail, run_agent  # noqa: E402


def main():
    module = AnsibleModule(
        argument_spec=dict(
            ROOT_OPTIONS,
            spec={"type": "dict"},
            spec_file={"type": "path"},
            request={"type": "str"},
        ),
        mutually_exclusive=[("spec", "spec_file")],
        supports_check_mode=True,
    )
    code, facts, err = run_agent(module, "inspect", (module.params["request"] or "").encode())
    if code != 0 or facts is None:
        fail(module, "inspect", code, facts, err)
    findings = [sentence(one) for one in facts.get("findings") or []]
    module.exit_json(changed=False, ansible_facts={"provision": facts}, findings=findings)


def sentence(finding):
    """A finding as a person reads it."""
    text = "{severity} [{rule}] {evidence}: {consequence}".format(**finding)
    return f"{text} ({finding['remedy']})" if finding.get("remedy") else text


if __name__ == "__main__":
    main()
