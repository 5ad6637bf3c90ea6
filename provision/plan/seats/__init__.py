"""What an instance has besides GPUs: node, cores, memory policy, ports. Pure."""
