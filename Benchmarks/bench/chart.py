"""A bar chart in SVG, written by hand: no library draws it."""

from html import escape

WIDTH = 840
# Where the bars begin, and how long the longest is.
LEFT, LENGTH = 330, 400
BAR, GAP = 20, 10

# A background of its own: a page in dark colours may show the picture of a reader whose system prefers light ones.
STYLE = """\
  .paper { fill: #ffffff; stroke: #d0d7de; }
  text { paint-order: stroke; stroke: #ffffff; stroke-width: 4px; fill: #1f2328; }
  text { font: 13px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; }
  .title { font-size: 15px; font-weight: 600; }
  .note { fill: #59636e; font-size: 12px; }
  .bar { fill: #8c959f; }
  .ours { fill: #0b6357; }
  .line { stroke: #bc4c00; stroke-dasharray: 4 3; }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117; stroke: #3d444d; }
    text { stroke: #0d1117; fill: #f0f6fc; }
    .note { fill: #9198a1; }
    .bar { fill: #6e7681; }
    .ours { fill: #2fb8a3; }
    .line { stroke: #f0883e; }
  }
"""


class Panel:
    """Bars under one title, on a scale of their own."""

    def __init__(self, title: str, subtitle: str, bars: list[tuple[str, float, str, bool]],
                 line: tuple[float, str] | None = None):
        self.title = title
        self.subtitle = subtitle
        # What it is, its value, the value as text, and whether it is Keybearer's.
        self.bars = bars
        # A value that is marked across the bars.
        self.line = line

    @property
    def height(self) -> int:
        return 62 + len(self.bars) * (BAR + GAP) + (18 if self.line else 0)

    def draw(self, top: int) -> list[str]:
        values = [bar[1] for bar in self.bars] + ([self.line[0]] if self.line else [])
        scale = LENGTH / max(values)
        drawn = [
            f'  <text class="title" x="24" y="{top + 24}">{escape(self.title)}</text>',
            f'  <text class="note" x="24" y="{top + 42}">{escape(self.subtitle)}</text>',
        ]
        y = top + 58
        if self.line:
            # Before the bars and their figures, which stand on it: a line through a figure cannot be read.
            x = LEFT + self.line[0] * scale
            end = y + len(self.bars) * (BAR + GAP)
            drawn += [
                f'  <line class="line" x1="{x:.1f}" x2="{x:.1f}" y1="{top + 54}" y2="{end}"/>',
                f'  <text class="note" x="{x:.1f}" y="{end + 13}" text-anchor="middle">{escape(self.line[1])}</text>',
            ]
        for label, value, text, is_ours in self.bars:
            # Never nothing: a bar that cannot be seen looks like a value that is missing.
            length = max(1.5, value * scale)
            drawn += [
                f'  <text x="{LEFT - 10}" y="{y + 15}" text-anchor="end">{escape(label)}</text>',
                f'  <rect class="{"ours" if is_ours else "bar"}" x="{LEFT}" y="{y}" width="{length:.1f}" '
                f'height="{BAR}" rx="2"/>',
                f'  <text x="{LEFT + length + 8:.1f}" y="{y + 15}">{escape(text)}</text>',
            ]
            y += BAR + GAP
        return drawn


def svg(panels: list[Panel], description: str) -> str:
    panels = [panel for panel in panels if panel.bars]
    height = 16 + sum(panel.height for panel in panels)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'role="img" aria-labelledby="about">',
        f'  <title id="about">{escape(description)}</title>',
        "  <style>", *("  " + line for line in STYLE.splitlines()), "  </style>",
        f'  <rect class="paper" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="8"/>',
    ]
    top = 6
    for panel in panels:
        lines += panel.draw(top)
        top += panel.height
    return "\n".join([*lines, "</svg>", ""])
