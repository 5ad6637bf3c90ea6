"""The watch unit: keeps instances that serve in the balancer and those that do not out of it."""
