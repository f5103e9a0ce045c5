"""The library: documents, text and memories in SQL; knows bytes, not tensors."""
