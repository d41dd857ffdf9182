"""Hypothesis profile for a long search: `pytest tests/analysis --hypothesis-profile=search`."""

from hypothesis import settings

settings.register_profile("search", max_examples=2_000)
