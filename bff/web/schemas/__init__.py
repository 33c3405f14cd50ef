"""The package schemas."""
