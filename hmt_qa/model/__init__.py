"""The Hierarchical Memory Transformer around any causal language model; knows token ids and tensors only."""
