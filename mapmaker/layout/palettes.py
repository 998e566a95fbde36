"""The palettes: what colour each material has, and how the ground outside the walls is drawn."""

from dataclasses import dataclass, replace

from mapmaker.layout.chance import stream
from mapmaker.registry import Registry

Colour = tuple[int, int, int]


def tint(code: str) -> Colour:
    """Return "#rrggbb" as three numbers from 0 to 255."""
    return (int(code[1:3], 16), int(code[3:5], 16), int(code[5:7], 16))


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """The colours of a map, as #rrggbb.

    outside is hatch (ink strokes on paper) or rock (painted, darker with depth).
    ambient, when set, is the colour all light is multiplied with before the lamps are lit: night.
    """

    name: str
    outside: str
    paper: str
    ink: str
    shade: str
    wall: str
    stone: str
    tile: str
    wood: str
    dirt: str
    cave: str
    grass: str
    sand: str
    water: str
    deep: str
    leaves: tuple[str, ...]
    needles: tuple[str, ...]
    rock: str
    timber: str
    metal: str
    cloth: tuple[str, ...]
    bone: str = "#e8dfc8"
    fire: str = "#f0a03c"
    glow: str = "#8fc7d8"
    grid: float = 0.20
    grain: float = 1.0
    ambient: str | None = None

    def ground(self, kind: str) -> str:
        """Return the colour of a kind of ground."""
        return {
            "flagstone": self.stone,
            "slabs": self.stone,
            "cobble": self.stone,
            "tiles": self.tile,
            "planks": self.wood,
            "bridge": self.wood,
            "dirt": self.dirt,
            "path": self.dirt,
            "cave": self.cave,
            "grass": self.grass,
            "meadow": self.grass,
            "sand": self.sand,
            "ford": self.sand,
            "water": self.water,
            "chasm": self.ink,
        }.get(kind, self.stone)


PALETTES: Registry[Palette] = Registry("palette")


def _keep(palette: Palette) -> Palette:
    return PALETTES.register(palette.name)(palette)


PARCHMENT = _keep(
    Palette(
        name="parchment",
        outside="hatch",
        paper="#ecdfc0",
        ink="#35261a",
        shade="#6b4f35",
        wall="#4a3626",
        stone="#f3e9d0",
        tile="#ead9b4",
        wood="#dcbd8c",
        dirt="#dcc69b",
        cave="#ead9b2",
        grass="#d3cf9c",
        sand="#ecd9a8",
        water="#a9c3b6",
        deep="#7fa39c",
        leaves=("#a9b073", "#94a066", "#bcb47a"),
        needles=("#7f9068", "#8c9a70"),
        rock="#cbbb98",
        timber="#b98a58",
        metal="#9a9484",
        cloth=("#b5543f", "#7d8f69", "#c79a4b"),
        grid=0.24,
    )
)
_keep(
    replace(
        PARCHMENT,
        name="blueprint",
        paper="#dde6ea",
        ink="#1c2f45",
        shade="#4a6480",
        wall="#2b4460",
        stone="#f2f5f4",
        tile="#dbe5ea",
        wood="#d3cdbd",
        dirt="#d5d8d0",
        cave="#e6ebe9",
        grass="#c6d6c4",
        sand="#e6e2d2",
        water="#9cc0d6",
        deep="#6f9dbd",
        leaves=("#8fb09a", "#7ba08c", "#a5bda0"),
        needles=("#6d948a", "#7c9f96"),
        rock="#b9c4c9",
        timber="#b39a78",
        metal="#90a0ac",
        cloth=("#8c5f6c", "#5f82a6", "#c2a96a"),
        grid=0.26,
    )
)
_keep(
    replace(
        PARCHMENT,
        name="sepia",
        outside="rock",
        paper="#6f5138",
        ink="#2a1a10",
        shade="#4a2f1c",
        wall="#8d6b48",
        stone="#dcc193",
        tile="#cfae7c",
        wood="#bd8e58",
        dirt="#c6a473",
        cave="#cfb080",
        grass="#b8a468",
        sand="#dcc08c",
        water="#94a08c",
        deep="#6c8078",
        leaves=("#8c8449", "#7b7643", "#a0904e"),
        needles=("#6f6d40", "#625f3a"),
        rock="#a58a64",
        timber="#8d5f34",
        metal="#857863",
        cloth=("#9c4630", "#6f7047", "#b98a3c"),
        grid=0.26,
    )
)
VIVID = _keep(
    Palette(
        name="painted",
        outside="rock",
        paper="#3b3733",
        ink="#1a1613",
        shade="#1f1a24",
        wall="#6f675e",
        stone="#9d968a",
        tile="#a8937a",
        wood="#96683c",
        dirt="#8a6d4b",
        cave="#8f8272",
        grass="#71894a",
        sand="#cdb27e",
        water="#4d8ba0",
        deep="#2c5f78",
        leaves=("#57803a", "#3f6d33", "#7a8f3c", "#688a3f"),
        needles=("#35604a", "#2b5240"),
        rock="#8b867f",
        timber="#7c4f2a",
        metal="#7f868c",
        cloth=("#8f2f2c", "#2f5680", "#b58a34", "#5a3a6b"),
        grid=0.22,
    )
)
_keep(
    replace(
        VIVID,
        name="mossy",
        paper="#2f382c",
        ink="#141a12",
        shade="#18221a",
        wall="#69705a",
        stone="#97997f",
        tile="#8b9a78",
        wood="#84683f",
        dirt="#77694a",
        cave="#868a6c",
        grass="#5f7d3e",
        sand="#b5a97c",
        water="#4f8573",
        deep="#2d5a50",
        leaves=("#4e7a33", "#5f8f3b", "#3b652f"),
        rock="#808870",
        cloth=("#7d4a2c", "#3f6a4c", "#a8923c"),
    )
)
_keep(
    replace(
        VIVID,
        name="winter",
        paper="#4a5563",
        ink="#1b2430",
        shade="#34435e",
        wall="#7d8894",
        stone="#b9c2c9",
        tile="#a7b6c2",
        wood="#93785c",
        dirt="#b9b4ac",
        cave="#aab7c1",
        grass="#dbe3e8",
        sand="#d8d8d2",
        water="#8fb9cf",
        deep="#5c8cab",
        leaves=("#c9d6d4", "#b5c6c6", "#dfe7e8"),
        needles=("#5f8280", "#4c6f72"),
        rock="#a3adb6",
        timber="#7a5a40",
        cloth=("#8c2f38", "#345c8a", "#c0a050"),
        grid=0.2,
    )
)
_keep(
    replace(
        VIVID,
        name="desert",
        paper="#7c5138",
        ink="#2b160d",
        shade="#5a3020",
        wall="#b98a5e",
        stone="#dfbd8c",
        tile="#cf8f62",
        wood="#a97445",
        dirt="#cf9f68",
        cave="#d3a473",
        grass="#d9bd7c",
        sand="#ebcf94",
        water="#58a49c",
        deep="#2f7a7c",
        leaves=("#8c9a48", "#7a8c40", "#a3a052"),
        needles=("#6c8a50", "#5c7a48"),
        rock="#c09a70",
        timber="#8a5a30",
        cloth=("#a8342c", "#2f6a7c", "#d09a34"),
        grid=0.22,
    )
)
_keep(
    replace(
        VIVID,
        name="torchlit",
        paper="#3a3542",
        ink="#0e0b10",
        shade="#120d1c",
        wall="#6a6068",
        stone="#a59c98",
        tile="#9c8c86",
        wood="#94683f",
        dirt="#877058",
        cave="#958a84",
        grass="#5f7a4c",
        water="#47789a",
        deep="#27506f",
        ambient="#9092c0",
        grid=0.24,
    )
)

#: Palettes that suit a kind, as often as they shall come up.
_SUITS = {
    "dungeon": (
        "parchment",
        "parchment",
        "blueprint",
        "blueprint",
        "sepia",
        "painted",
        "painted",
        "mossy",
        "torchlit",
        "torchlit",
        "desert",
        "winter",
    ),
    "cave": (
        "parchment",
        "blueprint",
        "sepia",
        "painted",
        "painted",
        "mossy",
        "torchlit",
        "torchlit",
        "winter",
        "desert",
    ),
    "building": (
        "parchment",
        "blueprint",
        "sepia",
        "painted",
        "painted",
        "painted",
        "mossy",
        "torchlit",
        "winter",
        "desert",
    ),
    "wilderness": (
        "parchment",
        "sepia",
        "painted",
        "painted",
        "painted",
        "mossy",
        "mossy",
        "winter",
        "desert",
        "torchlit",
    ),
}


def palette_for(kind: str, seed: int) -> str:
    """Return the palette that this kind and seed draw."""
    names = _SUITS.get(kind) or tuple(PALETTES.names())
    return names[int(stream("palette", kind, seed).integers(len(names)))]
