"""Two hundred names that were made, or happen, to do harm where files are called after them."""

# fmt: off
DEVICES = [
    "con", "prn", "aux", "nul", "clock$", *(f"com{n}" for n in range(1, 10)),
    *(f"lpt{n}" for n in range(1, 10)),
]
CLIMBS = [
    "../", "..\\", "../../../../", "a/../../", "./../", "....//", "%2e%2e%2f", "%2e%2e/", "..%2f",
    "%252e%252e%252f", "..%c0%af", "..%5c", "%2e%2e%5c", "..\u2215", "..\uff0f", "\uff0e\uff0e/",
    "..;/", "/", "//", "\\\\host\\share\\", "C:\\", "C:", "file:///", "~/", "$HOME/",
    "/etc/cron.d/", "/proc/self/cwd/", "\\\\?\\C:\\", "..\u2024/", "..\0/",
]
SIGNS = [
    "\0", "\n", "\r\n", "\t", "\x1b[2J", "\x7f", "\u202e", "\u202d", "\u2066", "\u200f", "\u200b",
    "\u200d", "\ufeff", "\u2028", "\u0085", "\u00a0", "\ud7ff", "\ue000", "\uffff", "\U0001f5fa",
    "\U000e0041", "\u0301", "'", '"', "`id`", "$(id)", ";id", "|id", "&id", "<b>", "*", "?", ":",
    "::$DATA", "#", "%", "%00", "%s%n", "{0}", "{find}", "\\x00", "--", "-rf",
]
TWINS = [
    "Map", "MAP", "map", "m\u0430p", "ma\u0308p", "m\u00e4p", "Stra\u00dfe", "STRASSE",
    "stra\u1e9ee", "\ufb01le", "file", "FILE", "\u0130", "i\u0307", "\u212a", "k", "K", "\u00c5",
    "\u212b", "A\u030a", "\u03a3", "\u03c3", "\u03c2",
]
ENDS = [
    "x.", "x...", "x ", "x. .", " x", ".x", "..", ".", "...", " ", "", "x.jpg.exe", "x.jpg\0.exe",
    "x.jpg/", "x.jpg\u202egpj.exe", ".htaccess", ".lock", "manifest.jsonl", "../manifest.jsonl",
    "../fetch_log.jsonl", "../.lock", "../parts/x.part", "PROVENANCE.csv", "tombstones.jsonl",
]
LONG = [
    "x" * 255, "x" * 256, "x" * 4096, "\u00e4" * 128, "\u4e16" * 1000, "../" * 1300, "a/" * 2000,
    "." * 300, " " * 300, "\U0001f409" * 300, "x" * 4090 + "/../y", "e\u0301" * 2000,
]
# fmt: on

NAMES = [
    *(climb + "evil" for climb in CLIMBS), *(f"a{sign}b" for sign in SIGNS),
    *SIGNS[:22], *DEVICES, *(f"{d}.txt" for d in DEVICES), *TWINS, *ENDS, *LONG,
]  # fmt: skip
