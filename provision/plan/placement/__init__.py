"""Which GPUs each instance gets: wishes, what could serve them, all of them together. Pure."""
