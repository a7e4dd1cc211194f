"""A course on deep generative models: what the notebooks in `notebooks/` are built from."""

__version__ = "0.1.0"
