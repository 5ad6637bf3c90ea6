"""The PCI bus: accelerators, network cards, bridges, and the ways between them."""
