"""Six organisations, six processes, a node and a store that they share: rounds as members play them, from outside."""
