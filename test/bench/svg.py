"""A small writer of line charts as SVG, without other packages."""
import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 440, 80, 190, 40, 60
COLOURS = ("#0b6e4f", "#c8553d", "#2e5eaa", "#b8860b", "#7d3c98", "#555555", "#17a2b8", "#9b2226")


def _decades(low, high):
    return [10.0 ** e for e in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]


def _label(x):
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if x >= limit:
            return f"{x / limit:g}{unit}"
    return f"{x:g}"


class Chart:
    """Both axes are logarithmic. Lines are (label, [(x, y)]); values must be positive."""

    def __init__(self, title, x_title, y_title, x_ticks=None):
        self.title, self.x_title, self.y_title, self.x_ticks = title, x_title, y_title, x_ticks
        self.lines, self.points = [], []

    def line(self, label, points):
        if points:
            self.lines.append((label, sorted(points)))

    def point(self, label, x, y):
        self.points.append((label, x, y))

    def _ranges(self):
        xs = [x for _, points in self.lines for x, _ in points] + [x for _, x, _ in self.points]
        ys = [y for _, points in self.lines for _, y in points] + [y for _, _, y in self.points]
        self.x0, self.x1 = min(xs) / 1.15, max(xs) * 1.15
        ticks = _decades(min(ys), max(ys))
        self.y0, self.y1 = ticks[0], ticks[-1] if ticks[-1] > ticks[0] else ticks[0] * 10

    def _x(self, x):
        share = math.log(x / self.x0) / math.log(self.x1 / self.x0)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def _y(self, y):
        share = math.log(y / self.y0) / math.log(self.y1 / self.y0)
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)

    def _text(self, x, y, text, anchor="start", more=""):
        return f'<text x="{x}" y="{y}" text-anchor="{anchor}"{more}>{escape(text)}</text>'

    def _axes(self):
        parts = [self._text(WIDTH / 2 - 50, 22, self.title, "middle", ' font-weight="bold"'),
                 self._text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, self.x_title, "middle"),
                 self._text(0, 0, self.y_title, "middle", ' transform="translate(18,'
                            f'{(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)"')]
        for y in _decades(self.y0, self.y1):
            parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{self._y(y)}" '
                         f'y2="{self._y(y)}" stroke="#ddd"/>')
            parts.append(self._text(LEFT - 6, self._y(y) + 4, _label(y), "end"))
        for x in self.x_ticks or [t for t in _decades(self.x0, self.x1) if self.x0 <= t <= self.x1]:
            parts.append(self._text(self._x(x), HEIGHT - BOTTOM + 18, _label(x), "middle"))
            parts.append(f'<line x1="{self._x(x)}" x2="{self._x(x)}" y1="{HEIGHT - BOTTOM}" '
                         f'y2="{HEIGHT - BOTTOM + 5}" stroke="#444"/>')
        parts.append(f'<path d="M{LEFT},{TOP} V{HEIGHT - BOTTOM} H{WIDTH - RIGHT}" fill="none" '
                     'stroke="#444"/>')
        return parts

    def svg(self):
        """The chart as text; a chart without a number says so."""
        head = (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
                'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" '
                'fill="white"/>')
        if not self.lines and not self.points:
            return head + self._text(LEFT, TOP, f"{self.title}: nothing was measured") + "</svg>\n"
        self._ranges()
        parts = self._axes()
        for i, (label, points) in enumerate(self.lines):
            colour = COLOURS[i % len(COLOURS)]
            path = " ".join(f"{self._x(x)},{self._y(y)}" for x, y in points)
            parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" '
                         'stroke-width="2"/>')
            parts += [f'<circle cx="{self._x(x)}" cy="{self._y(y)}" r="3" fill="{colour}"/>'
                      for x, y in points]
            y = TOP + 10 + 18 * i
            parts.append(f'<rect x="{WIDTH - RIGHT + 14}" y="{y - 8}" width="14" height="4" '
                         f'fill="{colour}"/>')
            parts.append(self._text(WIDTH - RIGHT + 34, y, label))
        for label, x, y in self.points:
            parts.append(f'<circle cx="{self._x(x)}" cy="{self._y(y)}" r="4" fill="#0b6e4f"/>')
            parts.append(self._text(self._x(x) + 6, self._y(y) - 4, label, more=' font-size="9"'))
        return head + "\n".join(parts) + "</svg>\n"
