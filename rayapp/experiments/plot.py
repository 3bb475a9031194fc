"""The lifts of a report as a picture: a line a metric and arm, the fixed interval thick, the always-valid one thin."""

from __future__ import annotations

from pathlib import Path

from rayapp.experiments.report import Report


def write_plot(found: Report, file: Path) -> None:
    """PNG, SVG or PDF by the file's ending."""
    from matplotlib.figure import Figure

    shown = [one for one in found.comparisons if one.lift is not None]
    figure = Figure(figsize=(7, 1.2 + 0.45 * max(1, len(shown))), layout="constrained")
    axes = figure.subplots()
    axes.axvline(0, color="0.6", linewidth=1)
    for place, one in enumerate(reversed(shown)):
        colour = "0.35" if not one.significant else ("tab:green" if (one.lift or 0) > 0 else "tab:red")
        if one.always is not None:
            axes.plot([100 * x for x in one.always], [place, place], color=colour, linewidth=1.2)
        if one.low is not None and one.high is not None:
            axes.plot([100 * one.low, 100 * one.high], [place, place], color=colour, linewidth=4, solid_capstyle="butt")
        axes.plot(100 * (one.lift or 0), place, "o", color=colour)
    axes.set_yticks(range(len(shown)), [f"{one.metric}, {one.arm}" for one in reversed(shown)])
    axes.set_ylim(-0.6, max(1, len(shown)) - 0.4)
    axes.set_xlabel("lift over the control, % (thick: 95% at a fixed end, thin: at any time)")
    axes.set_title(found.experiment)
    figure.savefig(file)
