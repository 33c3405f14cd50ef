"""The package outbox."""
