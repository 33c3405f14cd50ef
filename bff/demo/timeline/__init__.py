"""The package timeline."""
