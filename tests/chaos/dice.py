"""Chance that can be had again."""

import random


def dice(seed: str, what: str) -> random.Random:
    """The same seed and purpose give the same throws; purposes do not disturb each other."""
    return random.Random(f"{seed} {what}")  # noqa: S311 - no secret is drawn with it
