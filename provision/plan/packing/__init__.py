"""The exact search, in numbers alone: every item takes one of its options at the least cost."""
