"""The routes by noun. A router is built from the services; a new one is a file here and a line in this list."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter

from rayapp.serving.http.routes import events, experiments, items, lists, moderation, operations, users
from rayapp.serving.http.services import Services

ROUTERS: tuple[Callable[[Services], APIRouter], ...] = (
    lists.router,
    events.router,
    items.router,
    moderation.router,
    users.router,
    experiments.router,
    operations.router,
)
