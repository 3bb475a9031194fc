"""The hashes of the catalogue, a field an item."""

ITEMS = "items"  # item id to record
VECTORS = "item_vectors"  # item id to content vector, float16
