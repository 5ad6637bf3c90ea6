"""What is installed: engines, nginx, exporters, units."""
