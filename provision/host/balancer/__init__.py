"""nginx on the host: is its configuration valid, which servers are in, what is still at work."""
