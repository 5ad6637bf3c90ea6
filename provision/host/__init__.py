"""The host half: all that ever runs on the machine being provisioned.

Standard library and pynvml alone, relative imports only: the same files run inside the
installed package, inside the zipapp that `apply` leaves on the host, and under Ansible.
"""
