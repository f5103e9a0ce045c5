"""Who writes an answer from the places found: the model of the memory, another local model, or an endpoint."""
