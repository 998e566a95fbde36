"""What stands in a room of each purpose, how large things are, and which of them shine."""

from mapmaker.layout.plan import Point

#: purpose: (thing, where, at most, share of the places).
#: where: wall, corner, middle, centre, rows, pillars.
PURPOSES: dict[str, tuple[tuple[str, str, int, float], ...]] = {
    "Guard room": (
        ("table", "centre", 1, 1),
        ("rack", "wall", 2, 0.3),
        ("barrel", "corner", 2, 0.5),
        ("torch", "wall", 2, 0.3),
    ),
    "Crypt": (
        ("sarcophagus", "rows", 6, 1),
        ("brazier", "corner", 2, 0.7),
        ("bones", "middle", 2, 0.3),
        ("web", "corner", 2, 0.5),
    ),
    "Shrine": (
        ("dais", "centre", 1, 1),
        ("altar", "centre", 1, 1),
        ("brazier", "corner", 4, 1),
        ("candles", "wall", 2, 0.2),
    ),
    "Library": (
        ("bookshelf", "wall", 7, 0.8),
        ("rug", "centre", 1, 1),
        ("table", "centre", 1, 1),
        ("candles", "corner", 1, 1),
    ),
    "Storeroom": (
        ("crate", "wall", 4, 0.5),
        ("barrel", "corner", 4, 0.9),
        ("sacks", "wall", 3, 0.4),
        ("crate", "middle", 1, 0.4),
    ),
    "Barracks": (("bed", "wall", 5, 0.7), ("chest", "wall", 2, 0.4), ("torch", "wall", 1, 1)),
    "Throne hall": (
        ("rug", "centre", 1, 1),
        ("pillar", "pillars", 8, 1),
        ("throne", "wall", 1, 1),
        ("brazier", "corner", 4, 1),
    ),
    "Pillared hall": (
        ("pillar", "pillars", 10, 1),
        ("mosaic", "centre", 1, 1),
        ("torch", "wall", 3, 0.4),
    ),
    "Laboratory": (
        ("circle", "centre", 1, 1),
        ("table", "wall", 2, 0.5),
        ("bookshelf", "wall", 2, 0.4),
        ("cauldron", "corner", 1, 1),
    ),
    "Collapsed room": (
        ("rubble", "corner", 3, 0.8),
        ("rubble", "middle", 3, 0.4),
        ("bones", "middle", 1, 0.5),
        ("crack", "centre", 1, 1),
    ),
    "Cells": (
        ("straw", "corner", 3, 0.8),
        ("shackles", "wall", 3, 0.4),
        ("bones", "middle", 1, 0.6),
        ("bucket", "corner", 1, 0.6),
    ),
    "Well room": (
        ("well", "centre", 1, 1),
        ("bucket", "middle", 1, 0.6),
        ("barrel", "corner", 2, 0.6),
        ("torch", "wall", 1, 0.4),
    ),
    "Treasury": (
        ("chest", "wall", 3, 0.6),
        ("coins", "middle", 3, 0.6),
        ("statue", "corner", 2, 0.8),
        ("brazier", "corner", 1, 1),
    ),
    "Statue chamber": (
        ("statue", "centre", 1, 1),
        ("statue", "corner", 4, 0.7),
        ("torch", "wall", 2, 0.3),
    ),
    "Cistern": (("barrel", "corner", 1, 0.6), ("torch", "wall", 2, 0.4)),
    "Empty room": (
        ("rubble", "corner", 1, 0.6),
        ("web", "corner", 1, 0.7),
        ("crack", "centre", 1, 0.6),
    ),
    "Common room": (
        ("hearth", "wall", 1, 1),
        ("tableset", "rows", 5, 0.75),
        ("barrel", "corner", 3, 0.7),
        ("rug", "centre", 1, 0.5),
    ),
    "Kitchen": (
        ("hearth", "wall", 1, 1),
        ("counter", "wall", 4, 0.6),
        ("barrel", "corner", 2, 0.7),
        ("table", "centre", 1, 1),
    ),
    "Bedroom": (
        ("rug", "centre", 1, 1),
        ("bed", "wall", 2, 0.5),
        ("chest", "wall", 1, 1),
        ("candles", "corner", 1, 0.8),
    ),
    "Study": (
        ("rug", "centre", 1, 1),
        ("bookshelf", "wall", 4, 0.6),
        ("desk", "wall", 1, 1),
        ("candles", "corner", 1, 1),
    ),
    "Great hall": (
        ("rug", "centre", 1, 1),
        ("feast", "centre", 1, 1),
        ("hearth", "wall", 1, 1),
        ("statue", "corner", 2, 0.6),
    ),
    "Chapel": (("altar", "wall", 1, 1), ("pew", "rows", 8, 1), ("candles", "corner", 4, 0.9)),
    "Workshop": (
        ("hearth", "wall", 1, 1),
        ("anvil", "middle", 1, 1),
        ("rack", "wall", 2, 0.5),
        ("crate", "corner", 2, 0.7),
    ),
    "Pantry": (("sacks", "wall", 3, 0.6), ("barrel", "corner", 3, 0.9), ("crate", "wall", 2, 0.5)),
    "Stable": (
        ("straw", "wall", 4, 0.6),
        ("straw", "corner", 3, 0.8),
        ("trough", "wall", 2, 0.4),
        ("barrel", "corner", 1, 0.5),
    ),
    "Hallway": (
        ("rug", "centre", 1, 0.7),
        ("candles", "wall", 1, 0.5),
        ("plant", "corner", 1, 0.5),
    ),
}
#: Size of a thing in squares: along the wall, then out from it. Things that shine carry a light.
SIZES: dict[str, Point] = {
    "bookshelf": (0.96, 0.36),
    "rack": (0.9, 0.3),
    "bed": (0.8, 1.5),
    "torch": (0.3, 0.3),
    "crate": (0.62, 0.62),
    "barrel": (0.56, 0.56),
    "sacks": (0.8, 0.5),
    "chest": (0.7, 0.46),
    "throne": (0.8, 0.7),
    "sarcophagus": (0.8, 1.6),
    "altar": (1.5, 0.7),
    "table": (1.1, 0.8),
    "desk": (0.95, 0.55),
    "tableset": (1.6, 1.6),
    "feast": (3.0, 1.0),
    "hearth": (1.3, 0.55),
    "counter": (0.98, 0.5),
    "pew": (1.7, 0.42),
    "pillar": (0.62, 0.62),
    "statue": (0.72, 0.72),
    "brazier": (0.5, 0.5),
    "candles": (0.34, 0.34),
    "well": (1.3, 1.3),
    "anvil": (0.6, 0.5),
    "trough": (0.9, 0.4),
    "web": (0.9, 0.9),
    "cauldron": (0.7, 0.7),
    "shackles": (0.4, 0.4),
    "bucket": (0.36, 0.36),
    "plant": (0.6, 0.6),
}
SHINES: dict[str, tuple[float, str]] = {
    "torch": (4.5, "#ffb055"),
    "brazier": (5.0, "#ff9a3c"),
    "candles": (3.0, "#ffd27a"),
    "hearth": (5.5, "#ff8f3a"),
    "circle": (3.5, "#8fb7ff"),
    "campfire": (6.0, "#ff9440"),
    "mushrooms": (2.2, "#7fe0c0"),
    "crystals": (2.6, "#9fb8ff"),
    "lantern": (4.5, "#ffcf80"),
    "cauldron": (2.2, "#8fe07a"),
}
#: Outward from the room to its wall: step, and the angle that turns a thing's back to it.
SIDES: tuple[tuple[int, int, int], ...] = ((0, -1, 0), (1, 0, 90), (0, 1, 180), (-1, 0, 270))
