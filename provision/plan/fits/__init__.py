"""The answer of `provision fit`: what hosts can run, how, and how fast. Pure."""
