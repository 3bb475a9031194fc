"""RedOne: one language model for social-network tasks (arXiv 2507.10605)."""
