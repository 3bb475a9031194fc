"""Intervals that hold at every look, however often somebody looks.

A mixture of sequential likelihood ratios (Robbins 1970; Johari et al. 2022,
"Always valid inference", section 5): under no difference the ratio exceeds
1/alpha at any time with probability at most alpha. The mixture is a normal one
over effects, `typical` its standard deviation; another value costs width, never
validity. It is asymptotic, so nothing is said while an arm has few users.
"""

from __future__ import annotations

import math
from typing import NamedTuple

FEWEST_USERS = 300  # an arm: below it the normal approximation does not hold in the tails that this uses
TYPICAL = 0.03  # an effect that product changes have, relative to the control


class AlwaysValid(NamedTuple):
    low: float
    high: float
    pvalue: float


def always_valid(difference: float, error: float, typical: float, alpha: float = 0.05) -> AlwaysValid:
    """`difference` of two arms and its standard `error`, `typical` in the same unit. Raises ValueError."""
    if not 0 < alpha < 1:
        raise ValueError(f"alpha == {alpha:g}, must be between 0 and 1")
    if not (error > 0 and typical > 0):
        raise ValueError(f"error == {error:g} and typical == {typical:g}, must be above 0")
    ratio = (typical / error) ** 2
    half = error * math.sqrt((1 + ratio) / ratio * (math.log1p(ratio) - 2 * math.log(alpha)))
    z = difference / error
    log_evidence = z * z * ratio / (2 * (1 + ratio)) - 0.5 * math.log1p(ratio)
    return AlwaysValid(difference - half, difference + half, min(1.0, math.exp(-log_evidence)))
