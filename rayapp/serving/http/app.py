"""The HTTP application, built from services: it knows no Ray and reads no configuration."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI

from rayapp import __version__
from rayapp.serving.http import console, errors, openapi
from rayapp.serving.http.middleware import Guard
from rayapp.serving.http.routes import ROUTERS
from rayapp.serving.http.services import Services


def build_app(services: Services) -> FastAPI:
    """Every route with its limits; its lifespan closes the services."""

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        try:
            with services.alarms.running():
                yield
        finally:
            await services.close()

    app = FastAPI(
        title="rayapp",
        version=__version__,
        summary="Feeds, ads and search that learn from behaviour events",
        responses=openapi.problems(400, 401, 403, 404, 405, 413, 422, 503),
        lifespan=lifespan,
    )
    errors.install(app)
    console.install(app)
    openapi.install(app, services.experiments.rankers)
    limits = services.limits
    app.add_middleware(Guard, metrics=services.metrics, keys=limits.keys, max_ongoing=limits.max_ongoing)
    for router in ROUTERS:
        app.include_router(router(services))
    return app
