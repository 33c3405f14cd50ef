"""The package openapi."""
