"""A model's folder, local or from the Hub: which k-mers it reads, and the weights of its encoder. Executes nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..dna import LAYOUTS, MAX_NUCLEOTIDES, Layout, vocabulary_size
from ..errors import Bioscan5mError


if TYPE_CHECKING:
    from torch import Tensor
    from transformers import BertModel

ARCHITECTURES = ("bert", "barcodebert")
PATTERNS = (
    "config.json",
    "*.safetensors",
    "*.safetensors.index.json",
    "tokenizer.json",
    "taxonomy.json",
    "thresholds*.json",
)
"""What is fetched of a repository: data only, so that no code of it ever lies on the disk."""

PICKLED = "pytorch_model.bin"
PREFIXES = ("", "bert.", "base_model.bert.", "module.bert.")
_MARK = "embeddings.word_embeddings.weight"
_IDLE = ("pooler.", "embeddings.position_ids", "embeddings.token_type_ids")
"""Parts and buffers of a BERT that the masked mean does not pass through."""


_NOT_BERTS = ("model_type", "auto_map", "labels", "id2label", "label2id", "num_labels")


class CheckpointError(Bioscan5mError, ValueError):
    """A folder or repository is no model that can be used here; says what it holds and what is needed."""


@dataclass(frozen=True)
class Checkpoint:
    """A model's folder, looked into.

    Args:
        name: what it was asked for by.
        folder: where its files are.
        revision: the commit on the Hub; for a local folder `sha256:` and the digest of its weights.
        digest: of the weights, the same wherever they lie.
        config: the parsed `config.json`.
        k: bases of a k-mer.
        layout: which id means what.
    """

    name: str
    folder: Path
    revision: str
    digest: str
    config: Mapping[str, Any]
    k: int
    layout: Layout

    @property
    def max_nucleotides(self) -> int:
        """Bases that are read: 660, or fewer where the model has fewer positions."""
        return min(MAX_NUCLEOTIDES, self.k * int(self.config.get("max_position_embeddings", 512)))

    def reading(self) -> dict[str, Any]:
        """Give what `KmerModel` is told of a model beside the model itself."""
        return {
            "k": self.k,
            "layout": self.layout,
            "name": self.name,
            "revision": self.revision,
            "digest": self.digest,
            "max_nucleotides": self.max_nucleotides,
            "folder": self.folder,
        }

    def weights(self) -> dict[str, Tensor]:
        """Read all tensors, from safetensors or, where there are none, with the restricted unpickler."""
        return read_weights(self.folder)

    def encoder(self) -> BertModel:
        """Build the encoder as a stock BERT without pooler, every parameter from the file.

        Raises:
            CheckpointError: tensors are missing, left over, or of another shape.
        """
        from huggingface_hub.errors import StrictDataclassError
        from transformers import BertConfig, BertModel

        weights = encoder_weights(self.weights(), self.name)
        given = {key: value for key, value in self.config.items() if key not in _NOT_BERTS}
        try:
            model = BertModel(BertConfig.from_dict(given), add_pooling_layer=False)
            model.load_state_dict(weights)
        except (RuntimeError, ValueError, TypeError, StrictDataclassError) as error:
            found = " ".join(str(error).split())
            raise CheckpointError(
                f"{self.name}: the weights are not those of the model that config.json describes: {found[:400]}"
            ) from error
        return model


def open_checkpoint(name_or_path: str | Path, revision: str | None = None) -> Checkpoint:
    """Find a model and read what it says about itself; of a repository only data files are fetched.

    Args:
        name_or_path: a folder, or the id of a repository on the Hub.
        revision: branch, tag or commit on the Hub.

    Raises:
        CheckpointError: no such model, one of another architecture, without k-mers, or whose tokenizer does not fit.
    """
    name = str(name_or_path)
    folder = Path(name_or_path)
    if folder.is_dir():
        if revision is not None:
            raise CheckpointError(f"{name} is a local folder, which has no revision {revision!r}: leave it out")
    else:
        folder = fetch(name, revision)
        revision = folder.name
    config = read_json(folder / "config.json", name)
    k, layout = vocabulary_of(config, name)
    _check_tokenizer(folder / "tokenizer.json", k, layout, name)
    digest = digest_of(weight_files(folder))
    return Checkpoint(name, folder, revision or f"sha256:{digest}", digest, config, k, layout)


def vocabulary_of(config: Mapping[str, Any], name: str = "the model") -> tuple[int, Layout]:
    """Tell which k-mers a model reads: as its config says, or else by the size of its vocabulary.

    Args:
        config: the parsed `config.json`.
        name: the model's name, for messages.

    Returns:
        k, and the layout of the ids.

    Raises:
        CheckpointError: another architecture, or a vocabulary that holds no k-mers.

    Examples:
        >>> k, layout = vocabulary_of({"model_type": "bert", "vocab_size": 258})
        >>> k, layout.name
        (4, 'original')
        >>> vocabulary_of({"model_type": "bert", "vocab_size": 30522})
        Traceback (most recent call last):
        ...
        bioscan5m_hf.embedding.checkpoint.CheckpointError: the model has a vocabulary of 30522: k-mers need 4^k + 2 \
(layout original) or 4^k + 3 (standard) with k from 2 to 8; is it a model of barcodes?
    """
    if config.get("model_type") not in ARCHITECTURES:
        raise CheckpointError(
            f"{name} is a model of type {config.get('model_type')!r}: barcodes are embedded by "
            f"{' or '.join(ARCHITECTURES)}"
        )
    fitting = {vocabulary_size(k, layout): (k, layout) for k in range(2, 9) for layout in LAYOUTS.values()}
    size = config.get("vocab_size")
    if size not in fitting:
        raise CheckpointError(
            f"{name} has a vocabulary of {size}: k-mers need 4^k + 2 (layout original) or 4^k + 3 (standard) "
            "with k from 2 to 8; is it a model of barcodes?"
        )
    k, layout = fitting[size]
    said = (config.get("kmer_size", k), config.get("token_layout", layout.name))
    if said != (k, layout.name):
        raise CheckpointError(
            f"{name} says kmer_size {said[0]} and token_layout {said[1]!r}, but its vocabulary of {size} is that of "
            f"{k}-mers in layout {layout.name!r}: mend its config.json"
        )
    return k, layout


def weight_files(folder: Path) -> list[Path]:
    """List the files of a model's weights: safetensors, or one pickle where there are none.

    Raises:
        CheckpointError: there are none.
    """
    whole = folder / "model.safetensors"
    files = [whole] if whole.is_file() else sorted(folder.glob("model-*.safetensors"))
    if not files and (folder / PICKLED).is_file():
        files = [folder / PICKLED]
    if not files:
        held = ", ".join(sorted(item.name for item in folder.iterdir())) or "nothing"
        raise CheckpointError(f"{folder} holds no model.safetensors (it holds {held}): was saving it interrupted?")
    return files


def encoder_weights(weights: Mapping[str, Tensor], name: str = "the model") -> dict[str, Tensor]:
    """Take the encoder's tensors out of a model's, under the names that a bare BERT gives them.

    Raises:
        CheckpointError: there is no BERT in them.
    """
    prefix = next((prefix for prefix in PREFIXES if prefix + _MARK in weights), None)
    if prefix is None:
        some = ", ".join(sorted(weights)[:3]) or "none"
        raise CheckpointError(f"{name} holds the weights of another architecture ({some}): a BERT is needed")
    inner = {key.removeprefix(prefix): tensor for key, tensor in weights.items() if key.startswith(prefix)}
    wanted = ("embeddings.", "encoder.")
    return {key: tensor for key, tensor in inner.items() if key.startswith(wanted) and not key.startswith(_IDLE)}


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Read all tensors of a model, from safetensors or, where there are none, with the restricted unpickler.

    Raises:
        CheckpointError: there are none, or a file is damaged.
    """
    files = weight_files(folder)
    if files[0].name == PICKLED:
        from ..models.barcodebert.convert_barcodebert import read_checkpoint

        read = read_checkpoint(files[0])
        return dict(read.get("model", read))
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    weights: dict[str, Tensor] = {}
    for file in files:
        try:
            weights |= load_file(file)
        except SafetensorError as error:
            raise CheckpointError(f"{file} is damaged ({error}): save or fetch the model again") from error
    return weights


def fetch(
    name: str, revision: str | None = None, patterns: Sequence[str] = PATTERNS, pickled: Sequence[str] = (PICKLED,)
) -> Path:
    """Fetch the data files of a repository on the Hub; code in it is left where it is.

    Args:
        name: id of the repository.
        revision: branch, tag or commit.
        patterns: names of files, with `*`.
        pickled: names of weights to be fetched where there are none of the safetensors that `patterns` name.

    Returns:
        The folder of the files; its name is the commit.

    Raises:
        CheckpointError: there is no such repository or revision, or it cannot be reached.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(name, revision=revision, allow_patterns=list(patterns)))
        safe = [pattern for pattern in patterns if pattern.endswith(".safetensors")]
        if pickled and not any(True for pattern in safe for _ in folder.glob(pattern)):
            folder = Path(snapshot_download(name, revision=revision, allow_patterns=[*patterns, *pickled]))
    except HFValidationError as error:
        raise CheckpointError(
            f"there is no folder {name}, and it is no name of a repository (namespace/name)"
        ) from error
    except (HfHubHTTPError, LocalEntryNotFoundError) as error:
        at = f" at revision {revision!r}" if revision else ""
        reason = str(error).strip().splitlines()[0]
        raise CheckpointError(
            f"there is no folder {name}, and no such repository could be fetched from the Hub{at} ({reason})"
        ) from error
    return folder


def read_json(path: Path, name: str) -> dict[str, Any]:
    """Read a file of a model that holds one JSON object.

    Raises:
        CheckpointError: there is no such file, or something else is in it.
    """
    if not path.is_file():
        raise CheckpointError(f"{name} holds no {path.name}: name the folder or repository of a saved model")
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(f"{path} is no JSON ({error}): save or fetch the model again") from error
    if not isinstance(read, dict):
        raise CheckpointError(f"{path} holds no JSON object: save or fetch the model again")
    return read


def _check_tokenizer(path: Path, k: int, layout: Layout, name: str) -> None:
    """Compare a `tokenizer.json` with the vocabulary the model was built for; a missing one is no harm."""
    if not path.is_file():
        return
    vocabulary = read_json(path, name).get("model", {}).get("vocab")
    wanted = {"A" * k: layout.first, "T" * k: vocabulary_size(k, layout) - 1}
    found = {token: vocabulary.get(token) for token in wanted} if isinstance(vocabulary, dict) else {}
    if found != wanted:
        raise CheckpointError(
            f"{name}: tokenizer.json does not fit the model, which has {k}-mers in layout {layout.name!r}: "
            f"{_spelt(wanted)} are expected, and it has {_spelt(found) or 'no table of tokens'}"
        )


def _spelt(ids: Mapping[str, int | None]) -> str:
    return ", ".join(f"{token} {'missing' if number is None else number}" for token, number in ids.items())


def digest_of(files: list[Path]) -> str:
    """Give the first 16 hexadecimal digits of the SHA-256 of files, one after the other."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(1 << 22):
                digest.update(block)
    return digest.hexdigest()[:16]
