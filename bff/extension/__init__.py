"""The package extension."""
