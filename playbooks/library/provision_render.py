#!/usr/bin/python
# Copyright: the provision authors
# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action provision_render, which runs on the controller alone."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: provision_render
short_description: Plan and render one bundle for each host, on the controller
version_added: "0.1.0"
description:
  - Reads every host's spec and facts, plans, and writes one bundle a host into a folder of mode
    0700 in Ansible's local temporary folder, which goes away when ansible-playbook ends.
  - Runs once for all hosts, on the controller, and connects to none of them. Use C(run_once).
  - The spec of a host is its variable C(provision_spec) (a mapping) or C(provision_spec_file) (a
    file, absolute or relative to the inventory). Its facts are C(ansible_facts.provision), as
    M(provision_inspect) brings them, or a file in O(facts_dir).
  - A host that cannot be planned does not fail this task; its complaints stand in the result.
options:
  hosts:
    description:
      - Names of the hosts to render for.
    type: list
    elements: str
    required: true
  facts_dir:
    description:
      - Folder on the controller with recorded facts, C(HOST.json) each, used instead of live ones.
    type: path
requirements:
  - the package llm-provision where ansible-playbook runs
attributes:
  check_mode:
    support: full
    description: Renders just the same, since no host is touched.
  diff_mode:
    support: none
    description: There is nothing to differ.
  action:
    support: full
    description: Runs on the controller alone.
seealso:
  - module: provision_inspect
  - module: provision_apply
author:
  - The provision authors
"""

EXAMPLES = r"""
- name: Render for all hosts at once
  provision_render:
    hosts: "{{ ansible_play_hosts }}"
  run_once: true
  register: provision_rendered
"""

RETURN = r"""
hosts:
  description: The outcome for each host by its inventory name.
  returned: always
  type: dict
  contains:
    bundle:
      description: Path of the bundle on the controller; only where planning went well.
      type: str
    msg:
      description: Every complaint with its remedy; only where planning did not go well.
      type: str
    plan:
      description: The plan in short - one line an instance, warnings.
      type: dict
"""
