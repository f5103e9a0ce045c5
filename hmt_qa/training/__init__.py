"""Recipes that make checkpoints."""
