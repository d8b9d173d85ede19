"""How the page looks: paper, ink and thin rules, letters of the machine itself, the palette of the pictures."""

from __future__ import annotations

from gradio.themes import Base

from ..plot_style import GREY, PALETTE


SERIF = ("Iowan Old Style", "Palatino Linotype", "Palatino", "Georgia", "DejaVu Serif", "serif")
SANS = ("system-ui", "Segoe UI", "Helvetica Neue", "DejaVu Sans", "sans-serif")
HEADING = ", ".join(f"'{name}'" if " " in name else name for name in SERIF)
INK, PALE, RULE, PAPER, LEAF, ACCENT = "#23262b", "#5c6066", "#d8d3c6", "#f7f5ef", "#ffffff", PALETTE[0]


def theme() -> Base:
    """Give the theme: no letters from elsewhere, the same by day and night."""
    made = Base(font=SANS, font_mono=("ui-monospace", "DejaVu Sans Mono", "monospace"), radius_size="sm")
    colours = {
        "body_background_fill": PAPER,
        "body_text_color": INK,
        "body_text_color_subdued": PALE,
        "background_fill_primary": LEAF,
        "background_fill_secondary": PAPER,
        "block_background_fill": LEAF,
        "block_border_color": RULE,
        "block_label_background_fill": LEAF,
        "block_label_text_color": PALE,
        "block_title_text_color": INK,
        "border_color_primary": RULE,
        "input_background_fill": LEAF,
        "input_border_color": "#8d8a80",
        "input_placeholder_color": PALE,
        "button_primary_background_fill": ACCENT,
        "button_primary_background_fill_hover": "#005a8f",
        "button_primary_text_color": LEAF,
        "button_secondary_background_fill": LEAF,
        "button_secondary_background_fill_hover": "#efece3",
        "button_secondary_text_color": INK,
        "button_secondary_border_color": "#8d8a80",
        "input_border_width": "1px",
        "button_border_width": "1px",
        "button_primary_border_color": ACCENT,
    }
    made = made.set(
        button_large_text_weight="500", button_large_text_size="*text_md", block_shadow="none", color_accent=ACCENT
    )
    return made.set(**colours, **{f"{name}_dark": value for name, value in colours.items()})


CSS = f"""
.gradio-container {{ width: 100% !important; max-width: 1240px !important; margin: 0 auto; }}
.gradio-container, .gradio-container * {{ color-scheme: light; }}
.pager {{ align-items: end; }}
.pager .form {{ flex: 0 1 8rem !important; min-width: 5rem !important; }}
.gradio-container main, .gradio-container .wrap {{ width: 100%; }}
.pager button, .quiet {{ max-width: 11rem; min-height: 2.6rem; }}
.pager {{ flex-wrap: nowrap !important; gap: .6rem; }}
.pager button {{ flex: 0 1 9rem !important; min-width: 0 !important; padding-inline: .4rem; white-space: nowrap; }}
.quiet {{ align-self: center; }}
#near:empty, #near:not(:has(*)), #answer:not(:has(*)) {{ display: none; }}
button.selected[role=tab] {{ color: {ACCENT} !important; }}
.head h1 {{ font: 600 2rem/1.2 {HEADING}; margin: .6rem 0 .2rem; }}
.head p {{ color: {PALE}; margin: 0 0 .3rem; max-width: 46rem; overflow-wrap: anywhere; }}
.cards {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(min(17.5rem, 100%), 1fr)); gap: 1rem; }}
.card {{ background: {LEAF}; border: 1px solid {RULE}; display: flex; flex-direction: column; gap: .55rem;
  padding: .75rem; min-width: 0; overflow-wrap: anywhere; color: {INK}; }}
.card p, .card h3, .answer p, .answer h3, .checks p, .checks h3 {{ margin: 0; }}
.card h3, .answer h3, .checks h3 {{
  font: 600 1.2rem/1.25 {HEADING}; color: {INK}; }}
.latin {{ font-style: italic !important; }}
.photo {{ display: block; aspect-ratio: 4/3; background: #ecebe7; margin: -.75rem -.75rem .1rem; overflow: hidden; }}
.photo img {{ width: 100%; height: 100%; object-fit: contain; display: block; }}
.photo .lost-note {{ display: none; }}
.photo.lost img {{ display: none; }}
.photo.lost .lost-note {{ display: grid; place-items: center; height: 100%; color: {PALE}; }}
.id {{ font: .8rem/1.4 ui-monospace, 'DejaVu Sans Mono', monospace; color: {PALE}; }}
.similarity, .answer .label {{ font-size: .8rem; color: {PALE}; }}
.lineage {{ font-size: .85rem; line-height: 1.45; color: {PALE}; }}
.lineage span + span::before {{ content: " › "; font-style: normal; color: #8d8a80; }}
.bars {{ display: block; width: 100%; height: calc(var(--lines) * .8rem); }}
.barcode p, .none {{ font-size: .8rem; color: {PALE}; margin-top: .25rem !important; }}
.map {{ position: relative; aspect-ratio: 360/142; background: #e9eef2; }}
.map img {{ width: 100%; height: 100%; display: block; }}
.map i {{ position: absolute; width: .7rem; height: .7rem; margin: -.35rem 0 0 -.35rem; border-radius: 50%;
  background: {PALETTE[1]}; border: 2px solid {LEAF}; box-shadow: 0 0 0 1px {PALETTE[1]}; box-sizing: border-box; }}
.card dl, .checks dl {{ margin: 0; font-size: .85rem; }}
.card dl div, .checks dl div {{ display: grid; grid-template-columns: 5.5rem 1fr; padding: .12rem 0; }}
.card dl div + div, .checks dl div + div {{ border-top: 1px solid #eeebe2; }}
.card dt, .checks dt {{ color: {PALE}; }} .card dd, .checks dd {{ margin: 0; color: {INK}; }}
.card footer {{ margin-top: auto; display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: center;
  justify-content: space-between; padding-top: .3rem; }}
.card button {{ font: inherit; font-size: .85rem; background: {LEAF}; color: {ACCENT}; border: 1px solid {ACCENT};
  padding: .35rem .7rem; min-height: 2.2rem; cursor: pointer; border-radius: 2px; }}
.card button:hover {{ background: {ACCENT}; color: {LEAF}; }}
.card footer a {{ font-size: .85rem; color: {ACCENT}; text-decoration: underline; padding: .35rem 0; }}
.card :focus-visible, .card a:focus-visible {{ outline: 3px solid {PALETTE[4]}; outline-offset: 2px; }}
.key {{ display: flex; flex-wrap: wrap; gap: .2rem 1rem; font-size: .8rem; color: {PALE}; margin: 0 0 .6rem; }}
.key i {{ display: inline-block; width: .8rem; height: .8rem; margin-right: .35rem; vertical-align: -.08rem; }}
.key .other {{ background: {GREY}; }}
.said, .error, .note, .fine {{ margin: .3rem 0; color: {INK}; overflow-wrap: anywhere; }}
.error {{ border-left: 4px solid {PALETTE[1]}; background: #fdf1ea; padding: .6rem .8rem; }}
.note {{ border-left: 4px solid {PALETTE[4]}; background: #fdf6e6; padding: .45rem .7rem; font-size: .9rem; }}
.fine {{ color: #00664b; }}
.answer, .checks {{ background: {LEAF}; border: 1px solid {RULE}; padding: 1rem; margin-bottom: 1rem;
  display: flex; flex-direction: column; gap: .6rem; }}
.answer table {{ width: 100%; border-collapse: collapse; font-size: .9rem; }}
.answer caption {{ text-align: left; color: {PALE}; padding-bottom: .2rem; }}
.answer th, .answer td {{ text-align: left; padding: .25rem .4rem .25rem 0; border-bottom: 1px solid #eeebe2; }}
.answer .number {{ text-align: right; white-space: nowrap; }}
.warnings {{ margin: 0; padding-left: 1.2rem; font-size: .9rem; }}
.given {{ max-width: 100%; max-height: 320px; display: block; margin-bottom: 1rem; }}
.section {{ font: 600 1.35rem/1.3 {HEADING};
  margin: 1rem 0 .5rem; color: {INK}; }}
"""
