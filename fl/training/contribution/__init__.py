"""What base stations contributed to a global round, and the points that a winner reports for it."""
