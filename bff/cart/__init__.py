"""The package cart."""
