"""Native code in a process of its own, whose death is an error and not the end."""
