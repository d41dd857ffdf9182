"""A whole round in one process: every member played by its own code, on a real node, with real training."""
