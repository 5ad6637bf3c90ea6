"""Tests of one part each, without services or GPUs."""
