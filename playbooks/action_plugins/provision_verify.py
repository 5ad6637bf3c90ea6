# Copyright: the provision authors
# SPDX-License-Identifier: Apache-2.0
"""The action provision_verify; its code is provision/fleet/action.py."""

from __future__ import annotations

import sys
from pathlib import Path

from ansible.errors import AnsibleError

_checkout = Path(__file__).resolve().parents[2]
if (_checkout / "provision" / "fleet" / "action.py").is_file():
    sys.path.insert(0, str(_checkout))  # a checkout wins over the installed copy
try:
    from provision.fleet.action import VerifyAction as ActionModule
except ImportError as error:
    raise AnsibleError(
        f"provision cannot be imported by {sys.executable} ({error}): "
        "pip install 'llm-provision[fleet]' where ansible-playbook is installed"
    ) from error

__all__ = ["ActionModule"]
