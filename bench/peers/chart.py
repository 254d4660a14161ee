"""chart.py - the figures as a picture, SVG: for each workload a panel with a line for
each system, on it a dot at the median and a bar from the least to the most, on a
logarithmic scale.

It has a background of its own, so that it can be read on a page of any colour.

Not here: where the figures come from.
"""

import math
import textwrap
from xml.sax.saxutils import escape

import report

PANELS = (  # workload, title, unit; two beside each other
    ("W1", "W1: throughput", "tasks/s"),
    ("W4", "W4: throughput with results", "tasks/s"),
    ("W3", "W3: throughput on disk", "tasks/s"),
    ("W2", "W2: latency, on one processor", "µs"),
    ("map-true", "map: true for each line", "runs/s"),
    ("map-sha256sum", "map: sha256sum for each line", "runs/s"),
)

WIDTH, MARGIN, GUTTER = 1000, 24, 40
PANEL_WIDTH = (WIDTH - 2 * MARGIN - GUTTER) / 2
NAME_WIDTH, VALUE_WIDTH = 140, 62
ROW_HEIGHT, HEAD_HEIGHT, FOOT_HEIGHT = 20, 46, 36
LEGEND_HEIGHT, LINE_HEIGHT, LINE_LETTERS = 34, 18, 150
COLOURS = {"tmesh": "#c2410c", "limit": "#7c8591", "peer": "#2563a8"}
LEGEND = (
    ("tmesh", "tmesh"), ("peer", "others"),
    ("limit", "promises nothing: raw libzmq, NATS core"),
)
STYLE = (
    "text{font-family:-apple-system,'Segoe UI','Helvetica Neue',Arial,sans-serif;"
    "font-size:13px;fill:#1f2937}"
    ".title{font-size:15px;font-weight:600}.small{font-size:12px;fill:#4b5563}"
    ".tmesh{font-weight:600;fill:#9a3412}.grid{stroke:#d1d5db;stroke-width:1}"
    ".stem{stroke:#d1d5db;stroke-width:1;stroke-dasharray:1 3}"
)


def decade(value):
    """1, 10, 100, 1 k ..."""
    for unit, size in ((" M", 1000000), (" k", 1000)):
        if value >= size:
            return f"{value / size:.0f}{unit}"
    return f"{value:g}"


class Scale:
    """Where a value lies between the left and the right of the dots.  Whole decades, so
    that the same distance is the same factor and both ends have a number."""

    def __init__(self, values, left):
        self.low = math.floor(math.log10(min(values)))
        self.high = max(math.ceil(math.log10(max(values))), self.low + 1)
        self.left = left + NAME_WIDTH
        self.right = left + PANEL_WIDTH - VALUE_WIDTH

    def at(self, value):
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return self.left + share * (self.right - self.left)

    def decades(self):
        return [10.0**power for power in range(self.low, self.high + 1)]


def dot(row, scale, left, top):
    """One line of a panel."""
    values, middle = row.values(), top + ROW_HEIGHT / 2
    kind, colour = row.system.kind, COLOURS[row.system.kind]
    at, low, high = scale.at(row.median()), scale.at(min(values)), scale.at(max(values))
    marked = ' class="tmesh"' if kind == "tmesh" else ""
    text = report.shown(row.workload, row.median())
    return [
        f'<text{marked} x="{scale.left - 10:.1f}" y="{middle + 4.5:.1f}" text-anchor="end">'
        f"{escape(row.system.name)}</text>",
        f'<line class="stem" x1="{scale.left:.1f}" x2="{scale.right:.1f}" y1="{middle}"'
        f' y2="{middle}"/>',
        f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{middle}" y2="{middle}" stroke="{colour}"'
        ' stroke-width="3" stroke-linecap="round" stroke-opacity="0.45"/>',
        f'<circle cx="{at:.1f}" cy="{middle}" r="5" fill="{colour}"/>',
        f'<text{marked} x="{left + PANEL_WIDTH:.1f}" y="{middle + 4.5:.1f}" text-anchor="end">'
        f"{escape(text)}</text>",
    ]


def panel(rows, title, unit, left, top):
    """Its elements."""
    workload = rows[0].workload
    scale = Scale([value for row in rows for value in row.values()], left)
    first = top + HEAD_HEIGHT
    bottom = first + len(rows) * ROW_HEIGHT
    better = "more is better" if workload.measure == "rate" else "less is better"
    out = [
        f'<text class="title" x="{left:.1f}" y="{top + 16}">{escape(title)}</text>',
        f'<text class="small" x="{scale.left:.1f}" y="{top + 34}">'
        f"{unit}, logarithmic; {better}</text>",
    ]
    for value in scale.decades():
        x = f"{scale.at(value):.1f}"
        out += [
            f'<line class="grid" x1="{x}" x2="{x}" y1="{first - 4}" y2="{bottom + 4}"/>',
            f'<text class="small" x="{x}" y="{bottom + 18}" text-anchor="middle">'
            f"{decade(value)}</text>",
        ]
    for index, row in enumerate(rows):
        out += dot(row, scale, left, first + index * ROW_HEIGHT)
    return out


def height_of(rows):
    return HEAD_HEIGHT + len(rows) * ROW_HEIGHT + FOOT_HEIGHT


def legend(top):
    out, x = [], MARGIN
    for kind, text in LEGEND:
        out.append(
            f'<circle cx="{x + 6}" cy="{top + 9}" r="5" fill="{COLOURS[kind]}"/>'
            f'<text x="{x + 18}" y="{top + 14}">{text}</text>'
        )
        x += 46 + 7 * len(text)
    out.append(
        f'<text class="small" x="{WIDTH - MARGIN}" y="{top + 14}" text-anchor="end">'
        "dot: median; bar: least to most</text>"
    )
    return out


def panels(tables, top):
    """(their elements, where they end)"""
    chosen = []
    for name, title, unit in PANELS:
        rows = [row for row in tables.get(name, []) if row.median()]
        if rows:
            chosen.append((rows, title, unit))
    out = []
    for first in range(0, len(chosen), 2):
        pair = chosen[first:first + 2]
        for side, (rows, title, unit) in enumerate(pair):
            out += panel(rows, title, unit, MARGIN + side * (PANEL_WIDTH + GUTTER), top)
        top += max(height_of(rows) for rows, _, _ in pair)
    return out, top


def picture(tables, caption):
    """The SVG as text; None: there is nothing to draw."""
    out, top = panels(tables, MARGIN + LEGEND_HEIGHT)
    if not out:
        return None
    for line in textwrap.wrap(caption, LINE_LETTERS):
        out.append(f'<text class="small" x="{MARGIN}" y="{top + 8}">{escape(line)}</text>')
        top += LINE_HEIGHT
    height = top + MARGIN - 8
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" role="img" aria-label="tmesh beside other task queues">'
        f"<style>{STYLE}</style>"
        f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="8" fill="#ffffff" '
        'stroke="#d1d5db"/>\n'
        + "\n".join([*legend(MARGIN - 6), *out]) + "\n</svg>\n"
    )
