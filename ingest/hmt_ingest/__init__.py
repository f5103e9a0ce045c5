"""Readers, tree walk and the pipeline from files to stored memories."""
