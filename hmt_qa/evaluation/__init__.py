"""Measures what a checkpoint is worth: perplexity, retrieval and answers, with intervals, against baselines."""
