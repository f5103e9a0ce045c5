"""The product as other frameworks want to see it."""
