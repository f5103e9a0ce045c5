"""Settings, composition, command line and web page; the only layer that prints or configures."""
