"""The transaction: from a Bundle to a host that runs it, or back to where it was."""
