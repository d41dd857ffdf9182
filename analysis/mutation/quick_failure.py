"""A pytest plugin: hypothesis takes the same examples every time, and reports the first that fails as it is."""

from hypothesis import Phase, settings

# Shrinking a failure takes minutes on a node, and a mutant needs none.
settings.register_profile(
    "mutation", deadline=None, derandomize=True, database=None, phases=(Phase.explicit, Phase.generate)
)
