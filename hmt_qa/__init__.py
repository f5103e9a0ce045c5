"""hmt-qa: question answering over long documents with a Hierarchical Memory Transformer."""
