"""Readers, tree walk, segmenting and the pipeline from files to stored memories; knows no SQL and no tensors."""
