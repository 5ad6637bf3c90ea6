"""How many bytes a model takes in each format and quantisation. Pure."""
