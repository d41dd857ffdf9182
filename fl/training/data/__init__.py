"""Data sets in memory: where they come from, how they are split over clients, how images are varied."""
