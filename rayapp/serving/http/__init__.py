"""The HTTP shell: app, routes, schemas, middleware."""
