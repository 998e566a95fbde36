"""Floor plans by rule, and the ink-and-wash pictures drawn of them.

`plan(kind, seed)` gives a Layout (rooms, walls, doors, lights, in squares), `render(layout)` its
picture. Both are the same to the byte for the same seed, in every process.
"""

from mapmaker.layout import building, cave, dungeon, wilderness  # noqa: F401 they register
from mapmaker.layout.connect import is_playable, walking_graph
from mapmaker.layout.kinds import KINDS, plan
from mapmaker.layout.palettes import PALETTES, Palette
from mapmaker.layout.plan import Area, Door, Layout, Light, Prop, Room, Stairs
from mapmaker.layout.render import render

__all__ = [
    "KINDS",
    "PALETTES",
    "Area",
    "Door",
    "Layout",
    "Light",
    "Palette",
    "Prop",
    "Room",
    "Stairs",
    "is_playable",
    "plan",
    "render",
    "walking_graph",
]
