"""Seconds per global round of this engine, a plain PyTorch loop, Flower and pfl-research, side by side in one run."""
