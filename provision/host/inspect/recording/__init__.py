"""Writing down every answer of a machine, and inspecting from what was written down."""
