"""The user tower and the retriever in other deployments: a scene travels as its pin.

Their replicas answer from the pinned version or raise VersionGone; they hold the version before the newest as well.
"""

from __future__ import annotations

from typing import Any

from rayapp.redrec.model.history import Behaviour
from rayapp.serving.live.scene import Scene
from rayapp.serving.pipeline.ports import Hits, NearestSearch, QuerySearch
from rayapp.serving.pipeline.request import Interests
from rayapp.serving.remote_call import unwrapped


class RemoteTower:
    def __init__(self, handle: Any) -> None:
        """`handle`: of the user tower's deployment (ray.serve.handle.DeploymentHandle)."""
        self.handle = handle

    async def interests(self, scene: Scene, history: list[Behaviour], scenario: str) -> Interests | None:
        if not history:
            return None
        interests: Interests | None = await unwrapped(self.handle.interests.remote(scene.pin, history, scenario))
        return interests


class RemoteRetriever:
    def __init__(self, handle: Any) -> None:
        """`handle`: of the retriever's deployment."""
        self.handle = handle

    async def nearest(self, scene: Scene, search: NearestSearch) -> Hits:
        hits: Hits = await unwrapped(self.handle.nearest.remote(scene.pin, search))
        return hits

    async def matching(self, scene: Scene, search: QuerySearch) -> Hits:
        hits: Hits = await unwrapped(self.handle.matching.remote(scene.pin, search))
        return hits

    async def similar(self, scene: Scene, item_id: str, k: int) -> Hits:
        hits: Hits = await unwrapped(self.handle.similar.remote(scene.pin, item_id, k))
        return hits
