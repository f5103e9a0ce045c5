"""The demonstration's book: the Python standard library's reference, set from its own docstrings."""
