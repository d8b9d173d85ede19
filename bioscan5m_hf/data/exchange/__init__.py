"""To and from the forms in which others keep specimens."""

from .exporting import Exported, export
from .formats import FORMATS, Format
from .importing import Imported, import_release


__all__ = ["FORMATS", "Exported", "Format", "Imported", "export", "import_release"]
