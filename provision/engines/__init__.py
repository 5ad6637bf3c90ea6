"""The engines: what each can do, how it is started, probed and drained. Pure."""
