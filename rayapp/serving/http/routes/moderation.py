"""Moderation of texts that clients send."""

# No `from __future__ import annotations`: FastAPI must see the types.
from fastapi import APIRouter, Response

from rayapp.moderation.judge import Note
from rayapp.serving.http.bodies import NotesIn
from rayapp.serving.http.errors import Json, clean
from rayapp.serving.http.json_route import json_router
from rayapp.serving.http.openapi import returns
from rayapp.serving.http.schemas import JudgedNote, Verdicts
from rayapp.serving.http.services import Services


def router(services: Services) -> APIRouter:
    routes = json_router()

    @routes.post("/v1/moderate", **returns(Verdicts))
    async def moderate(body: NotesIn) -> Response:
        """The policy's decision on these texts; nothing is stored."""
        notes = [Note(clean(note.id, "id"), clean(note.text, "text")) for note in body.notes]
        return Json(Verdicts([JudgedNote.of(verdict) for verdict in await services.moderator.verdicts(notes)]))

    return routes
