"""Hypothesis profile for a long walk: `ape test tests/contracts/stateful --hypothesis-profile=search`."""

from hypothesis import settings

settings.register_profile("search", max_examples=2_000)
