"""What runs: listeners, processes, our placed instances."""
