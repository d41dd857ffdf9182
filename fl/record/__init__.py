"""A round as one record of what the chain says, and as one document."""
