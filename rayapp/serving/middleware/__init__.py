"""ASGI middleware that every application of the system stands behind: what a request must be before it is handled."""
