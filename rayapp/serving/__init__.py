"""Serve deployments: thin shells round the packages beside this one."""
