"""The ways of running one service on a group of GPUs: legal splits, memory, merit. Pure."""
