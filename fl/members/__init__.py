"""A member of a round as a program of its own: what it remembers, decides, sends and says."""
