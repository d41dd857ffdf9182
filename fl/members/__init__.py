"""What a member of a round does on its own machine, with its own keys, numbers and data."""
