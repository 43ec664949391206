"""The style sheet of a report: light and dark, on paper, and on a phone."""

from __future__ import annotations

from localreg.html.theme import (
    BASELINE,
    BETTER,
    CANDIDATE,
    DARK,
    GRID,
    INK,
    MUTED,
    TRUTH,
    UNSURE,
    WORSE,
)

__all__ = ["card_styles", "style_sheet"]

NAMES = {
    INK: "ink",
    MUTED: "muted",
    GRID: "grid",
    BASELINE: "baseline",
    CANDIDATE: "candidate",
    BETTER: "better",
    WORSE: "worse",
    UNSURE: "unsure",
    TRUTH: "truth",
}

PAGE = """
*{box-sizing:border-box}
html{color-scheme:light dark;-webkit-text-size-adjust:100%}
body{margin:0 auto;padding:1.5rem 1rem 4rem;max-width:62rem;color:var(--ink);background:var(--paper);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",sans-serif;overflow-wrap:anywhere}
h1{font-size:1rem;font-weight:600;color:var(--muted);margin:0 0 .75rem}
h2{font-size:1.15rem;margin:2.25rem 0 .5rem;padding-top:.6rem;border-top:1px solid var(--grid)}
h3{font-size:1rem;margin:1.5rem 0 .4rem}
p{margin:.4rem 0}
.verdict-box{border-left:6px solid var(--unsure);background:var(--raised);padding:.9rem 1.1rem;border-radius:4px;
font-size:1.3rem;line-height:1.4;margin:.75rem 0}
.verdict-box.improved{border-color:var(--better)}
.verdict-box.regressed{border-color:var(--worse)}
.verdict-box .note{font-size:.9rem;display:block;margin-top:.4rem}
.sign{font-weight:700;margin-right:.35em}
.improved .sign,td.improved span{color:var(--better)}
.regressed .sign,td.regressed span{color:var(--worse)}
.warnings{border:1px solid var(--worse);border-radius:4px;padding:.6rem .9rem .6rem 2rem;margin:1rem 0}
.warnings li::marker{content:"⚠  ";color:var(--worse)}
.note{color:var(--muted);font-size:.87rem}
.scrolls{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:.28rem .55rem;text-align:left;border-bottom:1px solid var(--grid);vertical-align:middle}
thead th{font-size:.8rem;font-weight:500;color:var(--muted);vertical-align:bottom}
tbody th{font-weight:500;min-width:7.5rem}
.n,thead .n{text-align:right}
thead th{overflow-wrap:normal}
td.n,td.verdict{white-space:nowrap}
td.drawn{width:170px;padding:0 .3rem}
svg.bar{display:block;width:160px;height:20px}
svg .ring{fill:var(--paper)}
figure{margin:1rem 0;overflow-x:auto}
figure svg{display:block;max-width:none;overflow:visible}
.narrow{display:none}
.curves{display:flex;flex-wrap:wrap;gap:0 1.5rem}
.curves figure{margin:.75rem 0}
details{margin:.75rem 0}
summary{cursor:pointer;padding:.35rem 0}"""

CARDS = """
.cards{list-style:none;margin:.5rem 0;padding:0;display:grid;gap:.75rem;
grid-template-columns:repeat(auto-fill,minmax(min(100%,15rem),1fr))}
.cards li{border:1px solid var(--grid);border-radius:4px;padding:.6rem .7rem;background:var(--raised);font-size:.87rem;
min-width:0;break-inside:avoid}
.pictures{display:flex;gap:.5rem;justify-content:center;margin-bottom:.5rem}
svg.picture{display:block;max-width:100%;width:160px;max-height:160px}
svg.picture.small{image-rendering:pixelated;width:120px}
svg .box{fill:none;stroke-width:2px;vector-effect:non-scaling-stroke}
svg .box[stroke="TRUTH"]{stroke-width:3px}
svg .box[stroke="CANDIDATE"]{stroke-width:1.5px}
svg .point{fill:none;stroke-width:1.5px;vector-effect:non-scaling-stroke}
.answers ins{text-decoration:underline 2px;color:var(--worse)}
.answers del{text-decoration:line-through;color:var(--truth)}
.answers div,.answers .text{font-weight:400}
.answers mark{color:inherit;background:none;border-bottom:2px solid var(--better);padding:0 .1em}
.answers mark small{font-weight:400;color:var(--better);font-size:.85em}
.note ins{color:var(--worse)}
.note del{color:var(--truth)}
.answers,.fields{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.05rem .6rem;margin:0}
.answers dt,.fields dt{color:var(--muted);max-width:9rem}
.answers .truth{color:var(--truth)}
.answers .baseline{color:var(--baseline)}
.answers .candidate{color:var(--candidate)}
.answers dt,.answers dd{font-weight:600}
.answers dd,.fields dd{margin:0;min-width:0}
.answers .note{font-weight:400}
.fields{margin-top:.4rem;font-size:.8rem;border-top:1px solid var(--grid);padding-top:.35rem}
.key span{display:inline-block;margin-right:1rem;border-bottom:3px solid}
.key .truth{border-color:var(--truth);border-width:4px}
.key .baseline{border-color:var(--baseline);border-bottom-style:dashed}
.key .candidate{border-color:var(--candidate)}
.key.points span{border:0}
.key.points .truth{color:var(--truth)}
.key.points .baseline{color:var(--baseline)}
.key.points .candidate{color:var(--candidate)}
"""

REST = """
:focus-visible{outline:2px solid var(--better);outline-offset:2px}
@media(max-width:45rem){
body{padding:1rem .75rem 3rem}
.verdict-box{font-size:1.12rem}
.wide{display:none}
.narrow{display:block}
.interval{display:none}
td.verdict .word,.bars td.count,.bars th.count,.bars th.verdict{display:none}
.bars{font-size:.83rem}
.bars thead th{font-size:.68rem}
th,td{padding:.28rem .2rem}
svg.bar{width:88px}
td.drawn{width:90px;padding:0}
tbody th{min-width:4.6rem}
}
@media print{
html{color-scheme:light}
body{max-width:none;padding:0;font-size:11px}
.scrolls,figure{overflow:visible}
figure,tr,.cards li{break-inside:avoid}
h2,h3{break-after:avoid}
}
"""


def style_sheet() -> str:
    """The whole sheet. Plots have fixed colours, which it exchanges by name."""
    return _sheet(PAGE, CARDS, REST)


def card_styles() -> str:
    """What cards of samples need, and how to read them (`examples.card`, `examples.keys`), for other pages."""
    return _sheet(CARDS)


def _sheet(*rules: str) -> str:
    light = _variables({color: color for color in NAMES}, "#ffffff", "#f5f7f9")
    dark = _variables(DARK, "#14191f", "#1d242c")
    swaps = "".join(
        f'svg [fill="{color}"]{{fill:var(--{name})}}svg [stroke="{color}"]{{stroke:var(--{name})}}\n'
        for color, name in NAMES.items()
    )
    themes = f":root{{{light}}}\n@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"
    told = "\n".join(each.strip() for each in rules).replace("TRUTH", TRUTH).replace("CANDIDATE", CANDIDATE)
    return f"{themes}{told}\n{swaps}"


def _variables(colors: dict[str, str], paper: str, raised: str) -> str:
    told = "".join(f"--{name}:{colors[color]};" for color, name in NAMES.items())
    return f"{told}--paper:{paper};--raised:{raised}"
