"""kill -9 at system calls that change something: afterwards all is old or all is new.

`make test` draws a few kills anew in each run and prints the seed they are drawn with;
PROVISION_TORTURE_SEED=N draws the same again. `make torture` makes a thousand and more.
"""
