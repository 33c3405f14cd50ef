"""The package ops."""
