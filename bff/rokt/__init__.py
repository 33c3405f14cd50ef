"""The package rokt."""
