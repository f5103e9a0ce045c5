"""One file a format: each turns bytes into `Page`s, one at a time."""
