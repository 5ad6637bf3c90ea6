"""Hosts to test on: a virtual machine with two NUMA nodes and GPUs, and fleets of containers.

    Image       image.py     what both run: built once for its inputs, cached
    Vm          vm.py        a QEMU clone restored from a snapshot: pins, reboot, power loss, PCI
    Fleet       fleet.py     systemd-nspawn hosts on a network of their own: Ansible, nginx, engines
    Shell       shell.py     one ssh connection to a host: commands and files
    Product     product.py   the project's own package, as it is laid on a host

Everything here needs root on Debian 12 and the packages of packages.txt, and nothing else: no KVM,
no running systemd, no network once the image is built.
"""
