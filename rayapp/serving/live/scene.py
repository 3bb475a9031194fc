"""What one request runs on, resolved once before its first await."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from rayapp.errors import Unavailable
from rayapp.serving.live.catalogue import LiveCatalogue
from rayapp.serving.live.catalogue_keywords import CatalogueKeywords
from rayapp.serving.live.item_index import ItemIndex
from rayapp.serving.live.served_version import ServedVersion
from rayapp.serving.live.variant import Variant


class NoVersion(Unavailable):
    """No version of the model is loaded in this replica yet."""


class VersionGone(Unavailable):
    """A replica was asked for a version that it does not hold: too new for it, or too old."""


class Pin(NamedTuple):
    """A scene by name, for a part of the request path in another process."""

    variant: Variant
    version: int


@dataclass(frozen=True, slots=True)
class Scene:
    """The model, the index of the same version, and the catalogue that both follow.

    Whatever is swapped while a request is under way, it goes on with these.
    `keywords` is None in a replica that does not search.
    """

    variant: Variant
    model: ServedVersion
    index: ItemIndex
    catalogue: LiveCatalogue
    keywords: CatalogueKeywords | None

    @property
    def pin(self) -> Pin:
        return Pin(self.variant, self.model.version)
