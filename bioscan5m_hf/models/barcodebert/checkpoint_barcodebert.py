"""Reading a PyTorch checkpoint without running anything that it says.

A checkpoint is a zip archive with a pickle, and a pickle is a program: it names functions and calls them. Here no
function that it names is ever looked up. Tensors are noted down as descriptions and read afterwards from the archive's
plain numbers; every other object is an inert stand-in.
"""

from __future__ import annotations

import io
import math
import pickle
import re
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor


LARGEST_PICKLE = 256 << 20
"""Bytes; the pickle holds names and shapes only. That of the largest original is 3 MB."""

STORAGES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}

CONSUMED = ("optimizer", "scheduler")
"""Parts of a checkpoint that nothing here needs; their tensors, twice the model's size, are not read."""


class CheckpointError(ValueError):
    """A checkpoint cannot be read, or is not what it was taken for."""


class Storage(NamedTuple):
    """Numbers in the archive: their name, type and count."""

    key: str
    dtype: torch.dtype
    length: int


class Description(NamedTuple):
    """A tensor that has not been read."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


class Inert:
    """Stands for an object that is not built; takes whatever a pickle does to it and does nothing."""

    def __init__(self, name: str = "") -> None:
        self.name = name

    def swallow(self, *args: object) -> None:
        """Do nothing."""

    append = extend = add = __setitem__ = swallow


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint of PyTorch 1.6 or later; nothing that it contains is executed.

    Args:
        path: a file that `torch.save` wrote.

    Returns:
        The dictionary in it, with tensors, numbers, strings and containers as they are (tuples as lists). Objects of
        other kinds are left out, and so are `optimizer` and `scheduler`.

    Raises:
        CheckpointError: it is no such file, or is damaged or made to do harm.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     torch.save({"epoch": 3, "model": {"weight": torch.ones(2)}}, f"{folder}/a.pt")
        ...     read_checkpoint(f"{folder}/a.pt")
        {'epoch': 3, 'model': {'weight': tensor([1., 1.])}}
    """
    path = Path(path)
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            start = file.read(2)
        older = "a pickle alone, as PyTorch before 1.6 wrote it; load and save it with the program that it came from"
        raise CheckpointError(f"{path} is {older if start[:1] == bytes([0x80]) else 'no file that torch.save wrote'}")
    try:
        with zipfile.ZipFile(path) as archive:
            prefix = check_names(archive)
            loaded = Reader(io.BytesIO(archive.read(f"{prefix}/data.pkl"))).load()
            if not isinstance(loaded, dict):
                raise CheckpointError(f"it holds a {type(loaded).__name__}, not a dictionary")
            wanted = {key: value for key, value in loaded.items() if key not in CONSUMED}
            plain: dict[str, Any] = Plain(lambda storage: read_storage(archive, prefix, storage)).value(wanted)
            return plain
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None
    except (ArithmeticError, AttributeError, LookupError, MemoryError, OSError, RecursionError, RuntimeError,
            TypeError, ValueError, EOFError, pickle.UnpicklingError, zipfile.BadZipFile) as error:  # fmt: skip
        raise CheckpointError(f"{path} is damaged: {type(error).__name__}: {error}") from error


def check_names(archive: zipfile.ZipFile) -> str:
    """Give the folder in which all members lie, or refuse the archive."""
    names = [member.filename for member in archive.infolist()]
    pickles = [name for name in names if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(pickles) != 1:
        raise CheckpointError(
            f"the archive holds {len(pickles)} pickles, a checkpoint holds one; torch.jit is not read"
        )
    prefix = pickles[0].removesuffix("/data.pkl")
    for member in archive.infolist():
        parts = member.filename.split("/")
        if parts[0] != prefix or ".." in parts or "" in parts or "\\" in member.filename:
            raise CheckpointError(f"the archive has a member {member.filename!r}, outside of its folder {prefix!r}")
        if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
            raise CheckpointError(f"member {member.filename!r} is packed or encrypted; torch.save does neither")
    if len(set(names)) != len(names):
        raise CheckpointError("the archive has two members of one name")
    if archive.getinfo(pickles[0]).file_size > LARGEST_PICKLE:
        raise CheckpointError(f"its pickle is larger than {LARGEST_PICKLE >> 20} MiB; originals have 3 MiB at most")
    if f"{prefix}/byteorder" in names and archive.read(f"{prefix}/byteorder") != b"little":
        raise CheckpointError("its numbers are big-endian; save it on a little-endian machine")
    return prefix


def read_storage(archive: zipfile.ZipFile, prefix: str, storage: Storage) -> Tensor:
    """Read numbers as a flat tensor."""
    member = archive.getinfo(f"{prefix}/data/{storage.key}")
    size = storage.length * storage.dtype.itemsize
    if member.file_size != size:
        raise CheckpointError(f"{member.filename} has {member.file_size} bytes, and {size} are announced")
    return torch.frombuffer(bytearray(archive.read(member)), dtype=storage.dtype) if size else torch.empty(0)


class Plain:
    """Turns what was noted down into tensors and plain containers; what is shared is made once.

    Args:
        read: gives the numbers of a storage.
    """

    def __init__(self, read: Callable[[Storage], Tensor]) -> None:
        self.read = read
        self.made: dict[int, Any] = {}

    def value(self, value: Any) -> Any:
        """Give a tensor for a description, and containers without inert members."""
        if id(value) not in self.made:
            self.made[id(value)] = self.make(value)
        return self.made[id(value)]

    def make(self, value: Any) -> Any:
        """Do so for a value that was not met before."""
        if isinstance(value, Description):
            return self.tensor(value)
        if isinstance(value, dict):
            kept = ((key, member) for key, member in value.items() if not isinstance(member, Inert | Storage))
            return {key: self.value(member) for key, member in kept if isinstance(key, str | int)}
        if isinstance(value, list | tuple):
            return [self.value(member) for member in value if not isinstance(member, Inert | Storage)]
        return value

    def tensor(self, described: Description) -> Tensor:
        """Read the numbers of a tensor."""
        flat = self.read(described.storage)
        if math.prod(described.shape) > flat.numel():
            raise CheckpointError(f"a tensor of shape {described.shape} is announced over {flat.numel()} numbers")
        return flat.as_strided(described.shape, described.stride, described.offset).clone()


def describe(storage: Any, offset: Any, shape: Any, stride: Any, *rest: Any) -> Description:
    """Note a tensor down (`torch._utils._rebuild_tensor_v2`)."""
    if not isinstance(storage, Storage):
        raise CheckpointError("a tensor without numbers")
    for number in (offset, *shape, *stride):
        if type(number) is not int or number < 0:
            raise CheckpointError(f"a tensor with the offset, length or stride {number!r}")
    return Description(storage, offset, tuple(shape), tuple(stride))


def describe_parameter(data: Any, *rest: Any) -> Any:
    """Note a parameter down (`torch._utils._rebuild_parameter`)."""
    return data


def ordered(pairs: Any = ()) -> dict[Any, Any]:
    """Make a dictionary (`collections.OrderedDict`)."""
    return OrderedDict((key, value) for key, value in pairs)


KNOWN: dict[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): ordered,
    ("torch._utils", "_rebuild_tensor_v2"): describe,
    ("torch._utils", "_rebuild_parameter"): describe_parameter,
}
"""The only names that mean something here, and our own functions in their place."""


class Reader(pickle._Unpickler):  # type: ignore[name-defined, misc]
    """The machine that runs pickles, with every instruction that calls or changes a foreign object replaced."""

    append: Callable[[Any], None]
    stack: list[Any]
    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(pickle._Unpickler.dispatch)  # type: ignore[attr-defined]

    def find_class(self, module: str, name: str) -> Any:
        """Give one of our functions, the type of a storage, or a stand-in; look nothing up."""
        if module in ("torch", "torch.storage") and name in STORAGES:
            return STORAGES[name]
        return KNOWN.get((module, name)) or Inert(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> Storage:
        """Note numbers down: `("storage", type, key, device, length)`."""
        kind, dtype, key, _, length = pid
        if kind != "storage" or not isinstance(dtype, torch.dtype) or type(length) is not int or length < 0:
            raise CheckpointError(f"it refers to {pid!r}, which is no storage that is known")
        if not isinstance(key, str) or not re.fullmatch(r"[0-9]{1,9}", key):
            raise CheckpointError(f"it refers to the storage {key!r}; names of storages are numbers")
        return Storage(key, dtype, length)

    def get_extension(self, code: int) -> None:
        """Refuse the short names that a process may register for classes."""
        raise CheckpointError("it uses extension codes, which torch.save does not")

    def _instantiate(self, klass: Any, args: Any) -> None:
        self.append(Inert())

    def load_reduce(self) -> None:
        """Call one of our functions; anything else is left uncalled."""
        arguments = self.stack.pop()
        function = self.stack.pop()
        known = any(function is candidate for candidate in KNOWN.values())
        self.append(function(*arguments) if known else Inert(getattr(function, "name", "")))

    def load_newobj(self) -> None:
        """Put a stand-in where an object would be made."""
        del self.stack[-2:]
        self.append(Inert())

    def load_newobj_ex(self) -> None:
        """Put a stand-in where an object would be made."""
        del self.stack[-3:]
        self.append(Inert())

    def load_build(self) -> None:
        """Leave the object as it is: its state is dropped."""
        self.stack.pop()

    dispatch[pickle.REDUCE[0]] = load_reduce
    dispatch[pickle.NEWOBJ[0]] = load_newobj
    dispatch[pickle.NEWOBJ_EX[0]] = load_newobj_ex
    dispatch[pickle.BUILD[0]] = load_build
