"""Who may import whom, what the wheel holds, and how light the package is."""

import ast
import configparser
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest


ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "bioscan5m_hf"

LOW = {"numpy", "pyarrow"}
MAY_IMPORT = {
    "errors": set(),
    "provenance": set(),
    "splits": set(),
    "partition": {"splits"},
    "plot_style": set(),
    "dna": LOW,
    "taxonomy": LOW,
    "synthetic": {"splits", "taxonomy", "dna", "errors", "data"},
    "data": {"splits", "partition", "taxonomy", "dna", "errors", "plot_style", "provenance", "data"},
    "models": {"torch", "transformers", "tokenizers", "safetensors", "huggingface_hub", "timm", "open_clip", "peft"},
    "losses": {"models"},
    "evaluation": {"data", "splits", "taxonomy", "dna", "errors", "plot_style", "provenance"},
    "embedding": {"models", "data", "splits", "taxonomy", "dna", "errors", "provenance"},
    "adapters": {"embedding", "models", "data", "splits", "taxonomy", "dna", "errors"},
    "library": {
        *("adapters", "evaluation", "embedding", "models", "data"),
        *("splits", "taxonomy", "dna", "errors", "provenance"),
    },
    "learning": {"losses", "models", "data", "splits", "taxonomy", "dna", "errors", "provenance"},
    "browse": {
        *("library", "adapters", "evaluation", "embedding", "models", "data", "plot_style"),
        *("splits", "taxonomy", "dna", "errors", "provenance"),
    },
    "hub": {"models", "evaluation", "data", "splits", "taxonomy", "dna", "errors", "provenance"},
}
"""Part of the package → other parts it may import; for a part without others, its only third-party packages."""

LOWEST = ("errors", "provenance", "splits", "dna", "taxonomy")
OUTSIDE = {"loading_script", "training", "benchmarks", "tests", "space"}


def imports(path: Path) -> list[str]:
    """Give the absolute names of all modules a file imports, lazily or not."""
    names = []
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            names += [f"{module}.{alias.name}" for alias in node.names]
    return names


def modules(part: str) -> list[Path]:
    path = PACKAGE / part
    return sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]


def part_of(name: str) -> str:
    return name.split(".")[1] if "." in name else ""


@pytest.mark.parametrize(
    "part", sorted(name for name in MAY_IMPORT if (PACKAGE / name).exists() or (PACKAGE / f"{name}.py").exists())
)
def test_parts_import_only_what_stands_below_them(part):
    for path in modules(part):
        ours = {part_of(name) for name in imports(path) if name.startswith("bioscan5m_hf.")}
        allowed = {part} if part in (*LOWEST, "models") else MAY_IMPORT[part] | {part}
        assert ours - allowed - {"__version__"} == set(), path


@pytest.mark.parametrize("part", LOWEST)
def test_the_lowest_parts_need_numpy_and_pyarrow_only(part):
    for path in modules(part):
        foreign = {name.split(".")[0] for name in imports(path)} - set(sys.stdlib_module_names) - {"bioscan5m_hf"}
        assert foreign <= MAY_IMPORT[part], path


def test_data_needs_neither_torch_nor_transformers_when_it_is_imported():
    code = (
        "import importlib, pkgutil, sys, bioscan5m_hf.data as data\n"
        "[importlib.import_module(m.name) for m in pkgutil.walk_packages(data.__path__, data.__name__ + '.')]\n"
        "print([name for name in ('torch', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_nothing_imports_the_folders_that_are_not_the_package():
    for path in sorted(PACKAGE.rglob("*.py")):
        assert not {name.split(".")[0] for name in imports(path)} & OUTSIDE, path


def test_folders_that_are_no_packages_stay_so_and_hide_no_library():
    for folder in ("loading_script", "models", "training", "benchmarks", "space"):
        assert not (ROOT / folder / "__init__.py").exists()
    names = {path.name for path in (ROOT / "training").glob("*.py")} if (ROOT / "training").exists() else set()
    assert not names & {"datasets.py", "evaluate.py", "tokenizers.py"}
    for folder in ("bioscan-5m", "loading_script"):
        assert not (ROOT / "loading_script" / f"{folder}.py").exists()


def test_import_is_light_and_lazy():
    code = (
        "import sys, time; start = time.perf_counter(); import bioscan5m_hf\n"
        "print(time.perf_counter() - start, [n for n in ('torch', 'transformers', 'datasets') if n in sys.modules])"
    )
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(3)]
    seconds, loaded = min(run.stdout.split(maxsplit=1) for run in runs)
    assert float(seconds) < 0.3
    assert loaded.strip() == "[]"


def test_every_public_name_resolves():
    import bioscan5m_hf

    assert all(getattr(bioscan5m_hf, name) is not None for name in bioscan5m_hf.__all__)
    assert set(bioscan5m_hf.__all__) <= set(dir(bioscan5m_hf))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        bioscan5m_hf.nonsense  # noqa: B018


@pytest.mark.slow
def test_the_wheel_holds_the_package_only(tmp_path):
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    names = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"bioscan5m_hf"}
    assert {"bioscan5m_hf/py.typed", "bioscan5m_hf/data/card.md.jinja", "bioscan5m_hf/learning/card.md.jinja"} <= set(
        names
    )


def test_every_lower_bound_says_which_feature_needs_it():
    lines = (
        (ROOT / "setup.cfg")
        .read_text()
        .split("install_requires =")[1]
        .split("[options.packages.find]")[0]
        .strip()
        .splitlines()
    )
    assert all(not line.strip().startswith("#") for line in lines[1::2])
    assert all(line.strip().startswith("#") for line in lines[0::2])


def test_extras_are_the_declared_ones_and_all_holds_them():
    config = configparser.ConfigParser(interpolation=None)
    config.read(ROOT / "setup.cfg")
    extras = config["options.extras_require"]
    assert set(extras) == {"models", "train", "eval", "curate", "browse", "cluster", "dev", "all"}
    assert all(
        f"bioscan5m-hf[{name}]" in extras["all"] for name in ("train", "eval", "curate", "browse", "cluster", "dev")
    )


def test_configuration_of_the_build_holds_no_metadata():
    import tomllib

    assert set(tomllib.loads((ROOT / "pyproject.toml").read_text())) == {"build-system", "tool"}
