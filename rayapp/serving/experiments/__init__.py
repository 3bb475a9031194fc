"""Experiments over HTTP: service, reports, alarms."""
