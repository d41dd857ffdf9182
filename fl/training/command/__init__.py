"""What `python -m fl.training` does: options, a run and its folder, what it shows."""
