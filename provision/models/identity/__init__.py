"""From the words of a spec, or the headers of its files, to a model. Pure."""
