"""A member of a round, for itself: it sees the chain and the store, and nothing of any other member's."""
