"""The host as a plan sees it: GPUs and what joins them, nodes, programs, vendors' units. Pure."""
