"""Steps of `scanlet.compile` around the data flow: options, checks, golden vectors."""
