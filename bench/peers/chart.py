"""chart.py - the report as a picture: bars on a logarithmic scale, one panel for each
workload, as SVG.

Not here: where the figures come from.
"""

import math
import statistics
from xml.sax.saxutils import escape

import catalog
import report

WIDTH = 900
NAME_WIDTH, VALUE_WIDTH = 150, 190
BAR_HEIGHT, BAR_GAP = 18, 6
TITLE_HEIGHT, PANEL_GAP, MARGIN = 34, 36, 20
COLOURS = {"tmesh": "#c2410c", "limit": "#9ca3af", "peer": "#3b6ea5"}
STYLE = (
    "text{font-family:sans-serif;font-size:12px;fill:#1f2937}"
    ".title{font-size:15px;font-weight:bold}.value{fill:#4b5563}"
    ".range{stroke:#111827;stroke-width:1.5}.grid{stroke:#e5e7eb;stroke-width:1}"
)


def values_of(row, workload):
    return row.latencies["p50"] if workload == "W2" else row.rates


def decade(value):
    """1, 10, 100, 1 k ..."""
    for unit, size in ((" M", 1000000), (" k", 1000)):
        if value >= size:
            return f"{value / size:.0f}{unit}"
    return f"{value:g}"


class Scale:
    """Where a value lies between the left and the right of the bars."""

    def __init__(self, values):
        self.low = math.floor(math.log10(min(values)) - 0.15)
        self.high = max(math.log10(max(values)), self.low + 1)

    def at(self, value):
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return NAME_WIDTH + share * (WIDTH - NAME_WIDTH - VALUE_WIDTH)

    def decades(self):
        return [10.0**power for power in range(self.low, math.floor(self.high) + 1)]


def bar(row, workload, scale, top):
    values = values_of(row, workload)
    middle = statistics.median(values)
    left, right, centre = NAME_WIDTH, scale.at(middle), top + BAR_HEIGHT / 2
    colour = COLOURS[row.system.kind]
    unit = " us" if workload == "W2" else "/s"
    text = f"{middle:.0f}" if workload == "W2" else report.short(middle)
    return [
        f'<text x="{left - 8}" y="{centre + 4:.1f}" text-anchor="end">'
        f"{escape(row.system.name)}</text>",
        f'<rect x="{left}" y="{top}" width="{max(right - left, 1):.1f}" height="{BAR_HEIGHT}"'
        f' fill="{colour}"/>',
        f'<line class="range" x1="{scale.at(min(values)):.1f}" x2="{scale.at(max(values)):.1f}"'
        f' y1="{centre}" y2="{centre}"/>',
        f'<text class="value" x="{scale.at(max(values)) + 8:.1f}" y="{centre + 4:.1f}">'
        f"{escape(text + unit)}</text>",
    ]


def panel(rows, workload, top):
    """(its elements, its height); rows without figures are left to the table."""
    shown = [row for row in rows if row.median()]
    if not shown:
        return [], 0
    scale = Scale([value for row in shown for value in values_of(row, workload)])
    better = "less is better" if workload == "W2" else "more is better"
    bottom = top + TITLE_HEIGHT + len(shown) * (BAR_HEIGHT + BAR_GAP)
    out = [
        f'<text class="title" x="{MARGIN}" y="{top + 18}">'
        f"{workload} {escape(catalog.WORKLOADS[workload])}</text>",
        f'<text class="value" x="{WIDTH - MARGIN}" y="{top + 18}" text-anchor="end">'
        f"{better}, logarithmic</text>",
    ]
    for value in scale.decades():
        x = f"{scale.at(value):.1f}"
        out.append(
            f'<line class="grid" x1="{x}" x2="{x}" y1="{top + 26}" y2="{bottom}"/>'
            f'<text class="value" x="{x}" y="{bottom + 10}" text-anchor="middle">'
            f"{decade(value)}</text>"
        )
    for index, row in enumerate(shown):
        out += bar(row, workload, scale, top + TITLE_HEIGHT + index * (BAR_HEIGHT + BAR_GAP))
    return out, bottom - top + PANEL_GAP


def legend(top):
    words = (
        ("tmesh", "tmesh"), ("limit", "may lose tasks: raw libzmq, NATS core"),
        ("peer", "others"),
    )
    out, x = [], MARGIN
    for kind, text in words:
        out.append(
            f'<rect x="{x}" y="{top}" width="12" height="12" fill="{COLOURS[kind]}"/>'
            f'<text x="{x + 18}" y="{top + 11}">{text}</text>'
        )
        x += 40 + 7 * len(text)
    return out


def picture(tables, caption):
    """`tables`: (workload, rows) of each panel; `caption`: lines.  The SVG as text."""
    out, top = [], MARGIN
    for workload, rows in tables:
        elements, height = panel(rows, workload, top)
        out += elements
        top += height
    out += legend(top)
    for line in caption:
        top += 18
        out.append(f'<text class="value" x="{MARGIN}" y="{top + 14}">{escape(line)}</text>')
    height = top + 30
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}"><style>{STYLE}</style>'
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>\n'
        + "\n".join(out) + "\n</svg>\n"
    )
