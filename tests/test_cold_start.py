"""What starting costs: the packages that a command imports.  Times depend on the machine; lists do not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Cli

ROWS = "period,reporter,partner,flow,nomenclature,product,value_usd\n2020,CHN,DEU,import,HS2022,848620,3\n"
# Of what stands outside Python itself.
HELP = {"autarky"}
HEAVY = {"altair", "jinja2", "matplotlib", "openpyxl", "pyspark", "ruptures", "scipy", "statsmodels"}


def imported(*argv: str) -> set[str]:
    """Return the top-level packages, beside Python's own, that one command imports."""
    code = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "from autarky.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "found = {m.partition('.')[0] for m in set(sys.modules) - before} - sys.stdlib_module_names\n"
        "print(*sorted(found), file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", code, *argv], capture_output=True, text=True, check=True)
    return {m for m in ran.stderr.splitlines()[-1].split() if not m.startswith("_")}


@pytest.mark.parametrize(
    "argv", [("--help",), ("measure", "--help"), ("ingest", "--help"), ("store", "vacuum", "--help"), ("--version",)]
)
def test_help_imports_nothing_but_the_command_line(argv: tuple[str, ...]) -> None:
    assert imported(*argv) == HELP


def test_help_imports_these_modules_of_ours() -> None:
    """Commands are found by their folder, so each is there; beside them only what they say and how they print."""
    code = (
        "import sys\nimport autarky.cli as c\nc._parser()\nprint(*(m for m in sys.modules if m.startswith('autarky')))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ours = {m for m in ran.stdout.split() if not m.startswith("autarky.commands.") and not m.endswith("_command")}
    assert ours <= {
        "autarky",
        "autarky.cli",
        "autarky.commands",
        "autarky.errors",
        "autarky.memory",
        "autarky.output",
        "autarky.registry",
    }


def test_a_first_answer_imports_an_engine_a_store_and_no_more(cli: Cli, store: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(ROWS)
    assert cli("ingest", "tidy", tmp_path / "t.csv", "--store", store).code == 0
    asked = ("measure", "herfindahl", "--by", "reporter", "--store", str(store), "--format", "csv")
    found = imported(*asked)
    assert {"duckdb", "ibis", "deltalake"} <= found
    assert not found & HEAVY


def test_the_program_ends_at_once_but_says_and_cleans_what_it_must() -> None:
    """A pipe is written to at the end only, and a temporary directory goes away."""
    code = (
        "import sys, tempfile, autarky.cli as c\n"
        "def main():\n"
        "    global kept; kept = tempfile.TemporaryDirectory(); sys.stdout.write(kept.name); return 2\n"
        "c.main = main\n"
        "c.run()"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert ran.stdout
    assert not Path(ran.stdout).exists()
