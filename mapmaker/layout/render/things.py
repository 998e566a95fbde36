"""Every thing that can be drawn, by the name in Prop.kind."""

from mapmaker.layout.render.fittings import FITTINGS
from mapmaker.layout.render.furniture import FURNITURE
from mapmaker.layout.render.nature import NATURE, Draw
from mapmaker.layout.render.stones import STONES

THINGS: dict[str, Draw] = NATURE | STONES | FURNITURE | FITTINGS
#: Lie flat: drawn before anything stands on them.
FLAT = frozenset({"rug", "mosaic", "circle", "dais", "crack", "puddle", "pebbles"})
