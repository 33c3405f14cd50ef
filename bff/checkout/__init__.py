"""The package checkout."""
