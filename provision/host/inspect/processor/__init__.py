"""CPUs, NUMA nodes and memory, and what of them we may use."""
