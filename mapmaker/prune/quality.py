"""What is wrong with one picture, from what was measured of it: rules, levels and reasons."""

from mapmaker.prune import lettering, light, overlay, sharpness, view
from mapmaker.prune.features import Features
from mapmaker.prune.finding import Finding
from mapmaker.prune.thresholds import Limits


def findings(features: Features, limits: Limits) -> list[Finding]:
    """Return everything wrong with a picture, the gravest first."""
    f = features
    if f.problem:
        return [Finding("broken", "drop", f.problem)]
    found: list[Finding] = []
    if min(f.width, f.height) < limits.min_side_px:
        text = f"{f.width}x{f.height} px; its shorter side is below {limits.min_side_px} px"
        found.append(Finding("small", "drop", text))
    found += light.findings(f.signs, limits)
    found += sharpness.findings(f.signs, limits, min(f.width, f.height))
    for theme in (lettering, view, overlay):
        found += theme.findings(f.signs, limits)
    return sorted(found, key=lambda finding: finding.level == "look")
