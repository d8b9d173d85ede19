"""The page: filters, pages of cards, neighbours, and names for what is pasted or dropped."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr
from markupsafe import escape

from ..errors import Bioscan5mError
from .cards import answer_html, card, checks_html, grid, message, photograph_html
from .catalogue import Catalogue, Filter
from .collection import Collection, Near
from .pasted import read_pasted
from .shards import thumbnail


PAGE = 12
"""Cards of a page."""

SUGGESTED = 30_000
"""Names of a rank that are offered: all, but of the Barcode Index Numbers only those of most specimens."""

ANY = ""
_ON_CLICK = """
element.addEventListener('click', event => {
  const button = event.target.closest('button[data-neighbours]');
  if (button) trigger('click', {processid: button.dataset.neighbours});
});
"""


class Answers:
    """What the page shows for what is asked; every method gives HTML, and of errors that a user can mend, their text.

    Args:
        collection: what is shown.
    """

    def __init__(self, collection: Collection) -> None:
        self.collection = collection

    def head(self) -> str:
        """Say what is shown, and what is missing."""
        collection = self.collection
        said = [f"{len(collection.catalogue):,} specimens of {collection.name}."]
        if collection.invented:
            said.append("All of them are invented.")
        if collection.photographs is None:
            said.append("This dataset has no photographs: cards are without them.")
        return f'<div class="head"><h1>Specimens</h1><p>{escape(" ".join(said))}</p></div>'

    def specimens(self, wanted: Filter, page: int) -> tuple[str, str, int]:
        """Show a page of the specimens that fit.

        Args:
            wanted: the filter.
            page: its number, from 1; one beyond the last is the last.

        Returns:
            What was found, the cards, and the number of the page.
        """
        try:
            rows = self.collection.catalogue.find(wanted)
        except ValueError as error:
            return message(error, error=True), "", 1
        if not len(rows):
            return message("No specimen fits: take one of the filters away."), "", 1
        pages = -(-len(rows) // PAGE)
        page = min(max(1, page), pages)
        shown = rows[(page - 1) * PAGE : page * PAGE].tolist()
        try:
            cards = [self._card(row, number) for row, number in zip(self.collection.rows(shown), shown, strict=True)]
        except (Bioscan5mError, OSError) as error:
            return message(f"the rows cannot be read: {error}", error=True), "", page
        total = len(self.collection.catalogue)
        of = f"{len(rows):,} of {total:,} specimens" if len(rows) < total else f"{total:,} specimens"
        return message(f"{of} · page {page:,} of {pages:,}"), grid(cards), page

    def neighbours(self, processid: str) -> str:
        """Show what is nearest to a specimen."""
        try:
            found = self.collection.neighbours(processid)
        except (Bioscan5mError, LookupError, OSError) as error:
            return message(error, error=True)
        return f'<h2 class="section">Nearest to {escape(processid)}</h2>' + self._nearest(found)

    def names(self, text: str, photograph: bytes | None) -> str:
        """Check a pasted barcode and name it, or a photograph, or both as one specimen."""
        if not text.strip() and photograph is None:
            return message("There is nothing to name: paste a barcode, or drop a photograph.", error=True)
        shown, barcode = [], ""
        try:
            if photograph is not None:
                small = base64.b64encode(thumbnail(photograph)).decode()
                shown.append(photograph_html(f"data:image/jpeg;base64,{small}"))
            if text.strip():
                pasted = read_pasted(text)
                barcode = pasted.barcode
                shown.append(checks_html(pasted))
        except Bioscan5mError as error:
            what = "The photograph: " if photograph is not None and not shown else ""
            return "".join([*shown, message(f"{what}{error}", error=True)])
        return self._named(barcode, photograph) + "".join(shown)

    def about_names(self) -> str:
        """Say what names are given by, or what to start with."""
        naming = self.collection.naming
        if naming is not None and naming.able:
            words = {"dna": "barcodes", "image": "photographs"}
            able = " and ".join(words[one] for one in ("dna", "image") if one in naming.able)
            return message(f"Names for {able} are given by {naming.described}.")
        return message(_START)

    def _named(self, barcode: str, photograph: bytes | None) -> str:
        naming = self.collection.naming
        if naming is None:
            return message(_START)
        if not barcode and "image" not in naming.able:
            return message("The model sees no photographs: paste the barcode.", error=True)
        try:
            answer = naming.name(barcode, photograph)
            near = self.collection.found(answer.neighbours)
        except (Bioscan5mError, OSError) as error:
            return message(error, error=True)
        heading = '<h2 class="section">Nearest specimens</h2>' if near else ""
        return answer_html(answer) + heading + (self._nearest(near) if near else "")

    def _nearest(self, found: Sequence[Near]) -> str:
        if not found:
            return message("Nothing is near: the index has no other key.")
        return grid([self._card(one.row, one.number, one.similarity) for one in found], key=False)

    def _card(self, row: dict[str, Any], number: int | None, similarity: float | None = None) -> str:
        here = number is not None
        photograph = f"photographs/{number}" if here and self.collection.photographs is not None else None
        return card(
            row, photograph=photograph, neighbours=here and self.collection.library is not None, similarity=similarity
        )


_START = (
    "No model is loaded, so that barcodes are only checked. For names start the page with a "
    "fine-tuned model (--model MODEL), or with an index that bioscan5m index made, and its model "
    "(--index KEYS --model MODEL)."
)


def make_page(collection: Collection) -> gr.Blocks:
    """Make the page.

    Args:
        collection: what it shows.
    """
    answers = Answers(collection)
    with gr.Blocks(title=f"Specimens of {collection.name}", analytics_enabled=False) as page:
        gr.HTML(answers.head(), apply_default_css=False)
        with gr.Tabs():
            with gr.Tab("Catalogue"):
                _catalogue(page, collection, answers)
            with gr.Tab("Name a specimen"):
                _names(answers)
    made: gr.Blocks = page
    return made


def _catalogue(page: gr.Blocks, collection: Collection, answers: Answers) -> None:
    known = collection.catalogue
    first = "order" if "order" in known.ranks else next(iter(known.ranks), "order")
    with gr.Row():
        rank = gr.Dropdown(list(known.ranks) or [first], value=first, label="Rank", min_width=130)
        name = gr.Dropdown(
            _suggestions(collection, first), value=None, label="Taxon", allow_custom_value=True, min_width=130,
            elem_id="taxon",
        )  # fmt: skip
        splits = [("any", ANY), *((f"{one} ({_rows(collection, one):,})", one) for one in known.splits)]
        split = gr.Dropdown(splits, value=ANY, label="Split", min_width=130)
        country = gr.Dropdown(
            [("any", ANY), *_counted(known, "country", known.countries)], value=ANY, label="Country", min_width=130
        )
        processid = gr.Textbox(label="Process id", max_lines=1, min_width=130)
        clear = gr.Button("Clear filters", min_width=130, elem_classes="quiet")
    filters = [rank, name, split, country, processid]
    found = gr.HTML(apply_default_css=False, elem_id="found")
    with gr.Row(elem_classes="pager"):
        before = gr.Button("Previous page", min_width=90)
        number = gr.Number(1, label="Page", precision=0, minimum=1, min_width=80)
        after = gr.Button("Next page", variant="primary", min_width=90)
    near = gr.HTML(apply_default_css=False, js_on_load=_ON_CLICK, elem_id="near")
    cards = gr.HTML(apply_default_css=False, js_on_load=_ON_CLICK, elem_id="cards")
    more = gr.Button("Next page", min_width=90, elem_classes="quiet", elem_id="more")
    shown = [found, cards, number, near]

    def show(step: Callable[[int], int]) -> Callable[..., tuple[str, str, int, str]]:
        def answer(*given: Any) -> tuple[str, str, int, str]:  # noqa: ANN401
            *texts, at = given
            wanted = Filter(*(str(text or "").strip() for text in texts))
            return (*answers.specimens(wanted, step(int(at or 1))), "")

        return answer

    def ask(event: gr.EventData) -> str:
        return answers.neighbours(str(event._data.get("processid", "")) if isinstance(event._data, dict) else "")

    def of_rank(rank: str) -> Any:  # noqa: ANN401
        return gr.update(choices=_suggestions(collection, rank), value=None)

    inputs = [*filters, number]
    from_first = show(lambda at: 1)
    rank.input(of_rank, rank, name, show_progress="hidden").then(from_first, inputs, shown)
    gr.on([name.input, split.input, country.input, processid.submit], from_first, inputs, shown)
    before.click(show(lambda at: at - 1), inputs, shown)
    after.click(show(lambda at: at + 1), inputs, shown)
    more.click(show(lambda at: at + 1), inputs, shown, scroll_to_output=True)
    gr.on([number.submit, number.blur], show(lambda at: at), inputs, shown)
    empty = lambda: (first, gr.update(value=None, choices=_suggestions(collection, first)), ANY, ANY, "")  # noqa: E731
    clear.click(empty, None, filters).then(from_first, inputs, shown)
    for clicked in (cards, near):
        clicked.click(ask, None, near, scroll_to_output=True)
    page.load(from_first, inputs, shown)


def _names(answers: Answers) -> None:
    gr.HTML(answers.about_names(), apply_default_css=False)
    with gr.Row():
        barcode = gr.Textbox(
            label="Barcode",
            lines=6,
            max_lines=12,
            placeholder="AACTTTATATTTTATTTTTGG… or a FASTA record",
            elem_id="barcode",
        )
        photograph = gr.File(label="Photograph", file_types=["image"], type="binary", elem_id="photograph")
    go = gr.Button("Name it", variant="primary", min_width=130, elem_classes="quiet")
    answer = gr.HTML(apply_default_css=False, elem_id="answer")
    go.click(lambda text, data: answers.names(text or "", data), [barcode, photograph], answer)


def _suggestions(collection: Collection, rank: str) -> list[tuple[str, str]]:
    known = collection.catalogue
    return _counted(known, rank, known.columns[rank].names[:SUGGESTED]) if rank in known.ranks else []


def _counted(catalogue: Catalogue, column: str, names: Sequence[str]) -> list[tuple[str, str]]:
    """Give names with their specimens, as choices."""
    if not names:
        return []
    coded = catalogue.columns[column]
    return [(f"{name} ({coded.counts[coded.code[name]]:,})", name) for name in names]


def _rows(collection: Collection, split: str) -> int:
    return len(collection.catalogue.find(Filter(split=split)))
