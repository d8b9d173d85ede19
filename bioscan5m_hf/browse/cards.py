"""Specimens as HTML: cards, answers, errors; every value from a dataset is escaped by the template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, StrictUndefined

from ..data.schema import BY_NAME
from ..dna import WARNINGS
from ..plot_style import BASE_COLOURS
from ..taxonomy import RANKS, is_filler
from .drawing import barcode_bars, pin
from .naming import Answer
from .pasted import Pasted


ISSUES = "https://github.com/bioscan-ml/BIOSCAN-5M/issues/new"
"""Where errors in records are reported: the tracker of the dataset's authors."""

MM_PER_PIXEL = 0.008296875
"""Of the 1024×768 originals: the microscope's fixed scale, as the authors' own browser of the records converts."""

_CARD = """
<article class="card" data-processid="{{ row.processid }}">
  {% if photograph %}
  <a class="photo" href="{{ photograph }}" target="_blank" rel="noopener">
    <img src="{{ photograph }}" alt="Photograph of {{ row.processid }}, {{ name }}" loading="lazy"
      onerror="this.closest('.photo').classList.add('lost')">
    <span class="lost-note">the photograph cannot be read</span></a>
  {% endif %}
  <header>
    {% if similarity is not none %}<p class="similarity">similarity {{ "%.3f" % similarity }}</p>{% endif %}
    <h3 {% if italic %}class="latin"{% endif %}>{{ name }}</h3>
    <p class="id">{{ row.processid }}{% if row.sampleid %} · {{ row.sampleid }}{% endif %}</p>
  </header>
  <p class="lineage">{% for rank, one in lineage %}<span title="{{ rank }}"
    {% if rank in ("genus", "species") %}class="latin"{% endif %}>{{ one }}</span>{% endfor %}</p>
  {% if row.dna_barcode %}
  <div class="barcode">{{ bars }}
    <p>{{ "{:,}".format(row.dna_barcode|length) }} bases{% if row.dna_bin %} · {{ row.dna_bin }}{% endif %}</p></div>
  {% else %}<p class="none">no barcode</p>{% endif %}
  {% if place %}
  <div class="map" role="img" aria-label="Map of the world, pin at {{ where }}">
    <img src="world.svg" alt="" loading="lazy"><i style="left:{{ place[0] }}%;top:{{ place[1] }}%"></i></div>
  {% endif %}
  <dl>
    <div><dt>Site</dt><dd>{{ where or "not known" }}</dd></div>
    <div><dt>Size</dt><dd>{{ size or "not measured" }}</dd></div>
    <div><dt>Split</dt><dd>{{ row.split or "none" }}</dd></div>
  </dl>
  <footer>
    {% if neighbours %}<button type="button" data-neighbours="{{ row.processid }}"
      aria-label="Nearest to {{ row.processid }}">Nearest specimens</button>{% endif %}
    <a href="{{ report }}" target="_blank" rel="noopener noreferrer"
      aria-label="Report the record {{ row.processid }}">Report this record</a>
  </footer>
</article>
"""
_ANSWER = """
<section class="answer" aria-label="Names">
  {% if answer.name %}
  <p class="label">{{ answer.rank }}, confidence {{ "%.2f" % (answer.confidence or 0) }}</p>
  <h3 {% if answer.rank in ("genus", "species") %}class="latin"{% endif %}>{{ answer.name }}</h3>
  <p class="lineage">{% for rank, one in answer.lineage.items() %}<span title="{{ rank }}"
    {% if rank in ("genus", "species") %}class="latin"{% endif %}>{{ one }}</span>{% endfor %}</p>
  {% else %}<h3>No name is sure enough</h3>{% endif %}
  {% for note in answer.notes %}<p class="note">{{ note }}</p>{% endfor %}
  {% if answer.candidates %}
  <table><caption>Candidates</caption>
    <thead><tr><th scope="col">Name</th><th scope="col" class="number">Share</th></tr></thead>
    <tbody>{% for name, share in answer.candidates %}<tr><td class="latin">{{ name }}</td><td class="number">
      {{ "%.1f" % (100 * share) }} %</td></tr>{% endfor %}</tbody></table>
  {% endif %}
</section>
"""
_CHECKS = """
<section class="checks" aria-label="Checks of the barcode">
  <h3>The barcode</h3>
  {{ bars }}
  <dl>
    <div><dt>Length</dt><dd>{{ "{:,}".format(checks.length) }} bases</dd></div>
    <div><dt>N</dt><dd>{{ "%.1f" % (100 * checks.n_share) }} %</dd></div>
    <div><dt>Strand</dt><dd>{{ {"+": "as given", "-": "the other one"}.get(checks.strand, "unclear") }}</dd></div>
    <div><dt>Frame</dt><dd>{{ "unclear" if checks.frame is none else checks.frame }}</dd></div>
    <div><dt>Stop codons</dt><dd>{{ "unclear" if checks.stop_codons is none else checks.stop_codons }}</dd></div>
  </dl>
  {% if warnings %}<ul class="warnings">{% for name, meaning in warnings %}
    <li><b>{{ name.replace("_", " ") }}</b>: {{ meaning }}</li>{% endfor %}</ul>
  {% else %}<p class="fine">Nothing is wrong with it.</p>{% endif %}
</section>
"""
_KEY = """
<p class="key">{% for base, colour in colours.items() %}<span><i
  style="background:{{ colour }}"></i>{{ base }}</span>{% endfor %}<span><i class="other"></i>other</span></p>
"""


_TEMPLATES = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def card(
    row: Mapping[str, Any],
    *,
    photograph: str | None = None,
    neighbours: bool = False,
    similarity: float | None = None,
) -> str:
    """Show a specimen.

    Args:
        row: the columns of the metadata; what is missing is not shown.
        photograph: its address.
        neighbours: offer to look for the nearest.
        similarity: to what it was found by.

    Examples:
        >>> "&lt;img&gt;" in card({"processid": "A1", "species": "<img>"})
        True
    """
    known: dict[str, Any] = {name: row.get(name) for name in BY_NAME}
    lineage = [(rank, known[rank]) for rank in RANKS if known[rank] and not is_filler(known[rank])]
    finest = lineage[-1] if lineage else ("", known["taxon"] or "no name")
    return _filled(
        _CARD,
        row=known,
        photograph=photograph,
        name=finest[1],
        italic=finest[0] in ("genus", "species"),
        lineage=lineage[:-1],
        bars=barcode_bars(known["dna_barcode"] or ""),
        place=pin(known["coord-lat"], known["coord-lon"]),
        where=_where(known),
        size=_size(known),
        report=report_address(known["processid"]),
        neighbours=neighbours,
        similarity=similarity,
    )


def report_address(processid: str) -> str:
    """Give the address at which a record is reported; nothing is asked of it until somebody follows the link.

    Examples:
        >>> report_address("AACTA1040-20")
        'https://github.com/bioscan-ml/BIOSCAN-5M/issues/new?title=Record+AACTA1040-20%3A+'
    """
    return f"{ISSUES}?{urlencode({'title': f'Record {processid}: '})}"


def grid(cards: Sequence[str], *, key: bool = True) -> str:
    """Put cards beside each other, with the colours of the bases above."""
    return (colour_key() if key and cards else "") + f'<div class="cards">{"".join(cards)}</div>'


def colour_key() -> str:
    """Say which colour is which base."""
    return _filled(_KEY, colours=BASE_COLOURS)


def answer_html(answer: Answer) -> str:
    """Show names, candidates and notes."""
    return _filled(_ANSWER, answer=answer)


def checks_html(pasted: Pasted) -> str:
    """Show what the checks of a barcode found."""
    return _filled(
        _CHECKS, bars=barcode_bars(pasted.barcode), checks=pasted.checks, warnings=pasted.warnings, known=WARNINGS
    )


def message(text: object, *, error: bool = False) -> str:
    """Say something; an error is read aloud at once."""
    role, kind = ("alert", "error") if error else ("status", "said")
    return _filled('<p role="{{ role }}" class="{{ kind }}">{{ text }}</p>', role=role, kind=kind, text=str(text))


def photograph_html(address: str) -> str:
    """Show a photograph that was given."""
    return _filled('<img class="given" src="{{ address }}" alt="The given photograph">', address=address)


def _where(row: Mapping[str, Any]) -> str:
    latitude, longitude = row["coord-lat"], row["coord-lon"]
    parts = [row["province_state"], row["country"]]
    if latitude is not None and longitude is not None:
        north, east = "N" if latitude >= 0 else "S", "E" if longitude >= 0 else "W"
        parts.append(f"{abs(latitude):.2f}° {north}, {abs(longitude):.2f}° {east}")
    return ", ".join(part for part in parts if part)


def _size(row: Mapping[str, Any]) -> str:
    pixels = row["image_measurement_value"]
    return "" if pixels is None else f"{pixels * MM_PER_PIXEL**2:.2f} mm² ({pixels:,} pixels)"


def _filled(template: str, **values: Any) -> str:  # noqa: ANN401
    filled = _TEMPLATES.from_string(template).render(**values)
    return filled.replace("{{", "&#123;&#123;").replace(
        "${", "&#36;{"
    )  # the page would take it for a template of its own
