"""The paper's figures and our own, from the real contract and real training; one module a figure."""
