"""History, items, model registry and event producer: one small class each, no Ray."""
