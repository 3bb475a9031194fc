"""The stores on Valkey or Redis; the only place that imports redis."""
