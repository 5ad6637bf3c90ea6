"""Tests on real hosts: systemd, nginx, engines, Ansible, reboots. They need root and minutes."""
