"""The fleet: many hosts through Ansible, one line a host."""
