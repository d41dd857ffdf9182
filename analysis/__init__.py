"""The reference mechanism, the round's accounting, and what is computed from finished rounds."""
