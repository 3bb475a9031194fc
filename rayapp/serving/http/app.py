"""The HTTP application, built from services: it knows no Ray and reads no configuration."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI

from rayapp import __version__
from rayapp.experiments.experiment import MAX_BYTES
from rayapp.serving.http import console, docs_page, errors, openapi
from rayapp.serving.http.admission import OPEN_PATHS, Admission
from rayapp.serving.http.exposition import VersionGauges
from rayapp.serving.http.request_metrics import RequestMetrics
from rayapp.serving.http.routes import ROUTERS
from rayapp.serving.http.services import Services
from rayapp.serving.middleware.guard import Guard, Intake
from rayapp.serving.middleware.keys import ApiKeys
from rayapp.serving.middleware.media_types import PLAIN, YAML
from rayapp.serving.middleware.origins import Origins

RECORDS = Intake(8 * 1024 * 1024)
INTAKES = {"/v1/events": Intake(RECORDS.limit, (PLAIN,)), "/v1/experiments": Intake(MAX_BYTES, YAML)}


def build_app(services: Services) -> FastAPI:
    """Every route with its limits; its lifespan closes the services."""

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        try:
            following = (services.alarms, VersionGauges(services.versions), services.readiness.jobs)
            with contextlib.ExitStack() as running:
                for one in following:
                    running.enter_context(one.running())
                yield
        finally:
            await services.close()

    app = FastAPI(
        title="rayapp",
        version=__version__,
        summary="Feeds, ads and search that learn from behaviour events",
        responses=openapi.problems(400, 401, 403, 404, 405, 408, 413, 414, 415, 421, 422, 431, 500, 503),
        lifespan=lifespan,
        redirect_slashes=False,  # a redirect would name the path as `keep_segments` wrote it
        docs_url=None,
        redoc_url=None,
    )
    errors.install(app)
    console.install(app)
    docs_page.install(app)
    openapi.install(app, services.experiments.rankers)
    limits = services.limits
    app.add_middleware(Admission, max_ongoing=limits.max_ongoing)  # what is added last is outermost
    app.add_middleware(
        Guard,
        answer=errors.answer,
        keys=ApiKeys(limits.keys),
        origins=Origins(limits.origins, hosts=None if limits.keys else limits.hosts),
        intake=lambda path: INTAKES.get(path, RECORDS),
        open_paths=OPEN_PATHS,
        whole_segments=True,
    )
    app.add_middleware(RequestMetrics, metrics=services.metrics)
    for router in ROUTERS:
        app.include_router(router(services))
    return app
