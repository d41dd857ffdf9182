"""A model: its parameters, its bytes as an artefact, the steps that train it, how it is judged."""
