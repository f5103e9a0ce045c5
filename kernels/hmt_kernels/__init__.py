"""Recall kernels: torch definition, Triton, dispatch; knows tensors only."""
