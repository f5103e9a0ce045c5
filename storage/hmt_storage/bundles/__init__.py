"""Memories of documents as one file that can be given away: written, checked, taken in."""
