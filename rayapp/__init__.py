"""rayapp: an online recommender, search and moderation system for a social network of notes."""

__version__ = "0.1.0"
