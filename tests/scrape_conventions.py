"""Pages in the five documented forms of the real archive's, in our own words.

No raw page of the archive is kept anywhere we know of, only their text: the forms of words, dates,
sizes and boxes here are those that were seen, the tags are the time's, the titles are ours.
"""

from dataclasses import dataclass, field

HEAD = (
    '<HTML>\r\n<HEAD><META HTTP-EQUIV="Content-Type" CONTENT="text/html; charset=windows-1252">'
    "<TITLE>Wizards</TITLE></HEAD>\r\n<BODY BGCOLOR=#ffffff><TABLE WIDTH=100%><TR><TD>"
    '<FONT FACE=Arial SIZE=4><B>Map-a-Week{date}</B></FONT><BR>(<A HREF="/default.asp?x=dnd/mwa/'
    'archiveall">Map-A-Week Archives</A>)\r\n'
)
FOOT = (
    "<P><FONT SIZE=1>\u00a9 1995-2008 Wizards of the Coast, Inc., a subsidiary of Hasbro, Inc. "
    "All Rights Reserved.</FONT></TABLE></BODY></HTML>"
)
SIDEBARS = """<TD WIDTH=130><TABLE><TR><TD><B>Recent Map-a-Weeks</B><BR>
<A HREF="/default.asp?x=dnd/mw/20040108a">01/29 Somebody Else\x92s Map: look</A><BR>
<A HREF="/dnd/images/mapofweek/January2004/04_Jan2004_72_ppi_aaaaa.jpg">01/22 Another</A></TABLE>
<TABLE><TR><TD><B>Recent Articles</B><BR><A HREF="/default.asp?x=dnd/iw/20040211b">2/11 Elite</A>
</TABLE>"""


@dataclass(frozen=True)
class Page:
    """One page: its address, its bytes, and what must be found (title -> date, files)."""

    url: str
    html: str
    entries: dict[str, tuple[str, int]]
    variants: int = 0
    themes: tuple[str | None, ...] = (None,)
    drawers: tuple[str | None, ...] = (None,)
    sizes: list[int] = field(default_factory=list)

    @property
    def body(self) -> bytes:
        return self.html.encode("cp1252")


def link(name: str, words: str, wrapped: bool = False) -> str:
    path = f"/dnd/images/mapofweek/{name}"
    href = f"/leaving.asp?url={path}&origin=dnd_mw_arch" if wrapped else path
    return f'<A HREF="{href}">{words}</A>'


def _three(stem: str, sizes: tuple[str, str, str], gap: str = " ") -> str:
    parts = [
        link(f"{stem}_{dpi}_ppi_x{n}.jpg", f"Download {dpi}dpi JPG{gap}({size})", wrapped=n == 1)
        for n, (dpi, size) in enumerate(zip((72, 150, 300), sizes, strict=True))
    ]
    return "<BR>\r\n".join(parts)


def year_page() -> Page:
    """2003's: three resolutions, a bonus entry, two variants without a size, a stale date."""
    names = {
        "The Sunken Fane": "12/25", "Bonus Overland Map": "12/25", "Old Lady\u2019s Well": "12/18",
        "Watch \u2013 Upper Floor": "12/11", "A Merchant\u2019s \u201cHouse\u201d": "12/04",
        "Barrow": "11/27",
    }  # fmt: skip
    rows = []
    for n, (title, day) in enumerate(names.items()):
        sizes = (f"{420 + n}k", f"1.{n}5m", f"{3 + n}.7mb")
        rows.append(f"<P>{day} <B>{title}</B>: Something old. {_three(f'D2003/{n}', sizes)}\r\n")
        if n == 0:
            rows.append(f"<LI>- {link('D2003/0_w.jpg', '(White Background)')}\r\n")
            rows.append(f"<LI>- {link('D2003/0_b.jpg', '(Black & White)')}\r\n")
    url = "http://wizards.com/default.asp?x=dnd/mwa/archive2003"
    wanted = {t: (f"2003-{d.replace('/', '-')}", 5 if n == 0 else 3)
              for n, (t, d) in enumerate(names.items())}  # fmt: skip
    html = HEAD.format(date="04/03/2003") + "".join(rows) + FOOT
    return Page(url, html, wanted, variants=2)


def month_with_tifs() -> Page:
    """2001-02: a JPG and a TIF of each map, the drawer in the prose, a typing slip."""
    names = {"Keep": "2/22", "Lower Keep": "2/15", "Tower": "2/08", "Gate House": "2/1"}
    rows = ["<P><B>Castle Month</B>\r\n"]
    for n, (title, day) in enumerate(names.items()):
        words = "Exquisitelysculpted pillars. We invited Wizards mapper Todd Gamble to draw it. "
        jpg, tif = (link(f"F2001/{n}.{kind}", text) for kind, text in
                    (("jpg", f"JPG {115 + 25 * n}k"), ("tif", "TIF 6.17mb")))  # fmt: skip
        rows.append(f"<P>{day} {title}: {words}Download ({jpg}) / Download ({tif})\r\n")
    wanted = {t: (f"2001-02-{int(d[2:]):02d}", 2) for t, d in names.items()}
    url = "http://www.wizards.com/default.asp?x=dnd/mw/20010201x"
    return Page(
        url, HEAD.format(date="") + "".join(rows) + FOOT, wanted, themes=("Castle Month",),
        drawers=("Todd Gamble",), sizes=[round(6.17 * 1024**2)] * 4,
    )  # fmt: skip


def month_of_single_files() -> Page:
    """2002-12, for the printer: the size comes first, the drawer has a line of their own."""
    names = {"Hollow": "12/26", "Hollow, Below": "12/19", "Mine": "12/12", "Mine Head": "12/05"}
    rows = ["<P><B>Wedge Mountain</B>\r\n"]
    for n, (title, day) in enumerate(names.items()):
        words = link(f"D2002/{n}_map.jpg", f"Download {151 + n}k JPG", wrapped=n % 2 == 1)
        rows.append(f"<P>{day} <B>{title}</B>: Cold and wet. {words}\r\n")
    rows.append("<P>Cartography by Rob Lazzaretti\r\n")
    wanted = {t: (f"2002-{d.replace('/', '-')}", 1) for t, d in names.items()}
    url = "http://www.wizards.com/default.asp?x=dnd/mw/20021226a&pf=true"
    return Page(
        url, HEAD.format(date="12/26/2002") + "".join(rows) + FOOT, wanted,
        themes=("Wedge Mountain",), drawers=("Rob Lazzaretti", None),
    )  # fmt: skip


def month_of_three_sizes() -> Page:
    """2003-10, for the printer: 10/9 beside 10/02, a space that is missing, lines of drawers."""
    names = {"Quay": "10/30", "Sail Loft": "10/23", "Customs House": "10/16", "Inn": "10/9",
             "Cellars of the Inn": "10/02"}  # fmt: skip
    rows = ["<P><B>Quest Maps</B>\r\n"]
    for n, (title, day) in enumerate(names.items()):
        gap = "" if n == 2 else " "
        links = _three(f"O2003/{n}", ("472k", "1.35m", "4.9m"), gap)
        rows.append(f"<P>{day} <B>{title}</B>: See within. {links}\r\n")
        rows.append("<P><I>Cartography by Rob Lazzaretti</I>\r\n")
    wanted = {t: (f"2003-10-{int(d[3:]):02d}", 3) for t, d in names.items()}
    url = "http://www.wizards.com/default.asp?x=dnd/mw/20031002a&pf=true"
    return Page(
        url, HEAD.format(date="04/03/2003") + "".join(rows) + FOOT, wanted,
        themes=("Quest Maps",), drawers=("Rob Lazzaretti",),
        sizes=[472 * 1024] * 5 + [round(1.35 * 1024**2)] * 5 + [round(4.9 * 1024**2)] * 5,
    )  # fmt: skip


def month_with_sidebars() -> Page:
    """2004-02: the smallest size alone, nobody named, boxes of other maps beside it."""
    names = {"Grotto": "2/26", "Deep Grotto": "2/19", "Pool": "2/12", "Chimney": "2/5"}
    rows = ["<P><B>Caves</B>\r\n"]
    for n, (title, day) in enumerate(names.items()):
        words = link(f"F2004/0{n}_Feb2004_72_ppi_s{n}.jpg", f"Download 72dpi JPG ({500 + n}k)")
        rows.append(f"<P>{day} <B>{title}</B>: Mind the drop. {words}\r\n")
    wanted = {t: (f"2004-02-{int(d[2:]):02d}", 1) for t, d in names.items()}
    url = "http://www.wizards.com/default.asp?x=dnd/mw/20040205a"
    beside = SIDEBARS.encode("latin-1").decode("cp1252")
    return Page(
        url, HEAD.format(date="") + "".join(rows) + beside + FOOT, wanted, themes=("Caves",)
    )


# (page, entries, files): the counts that the real pages of these forms have.
GOLDEN = [
    (year_page(), 6, 18 + 2), (month_with_tifs(), 4, 8), (month_of_single_files(), 4, 4),
    (month_of_three_sizes(), 5, 15), (month_with_sidebars(), 4, 4),
]  # fmt: skip
