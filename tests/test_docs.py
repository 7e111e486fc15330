"""The README is a session: its `console` blocks are run and their output compared (`...` stands for anything)."""

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands() -> list[tuple[str, str]]:
    """Return (command, expected output) pairs in order."""
    found = []
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL):
        for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, expected = step.partition("\n")
            found.append((command, expected))
    return found


def test_readme_session(tmp_path):
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    checker = doctest.OutputChecker()
    assert len(commands()) >= 8
    for command, expected in commands():
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path,
            env=environment,
            text=True,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}"
        said = "\n".join(line for line in done.stdout.splitlines()) + ("\n" if done.stdout else "")
        assert checker.check_output(expected, said, doctest.ELLIPSIS), f"{command}\nexpected\n{expected}\ngot\n{said}"
    said = ""
    for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL):
        done = subprocess.run([sys.executable, "-c", block], cwd=tmp_path, text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        said += done.stdout
    assert "herfindahl" in said
    assert "% of the projection" in said


@pytest.mark.parametrize(
    "page", sorted([*ROOT.glob("docs/**/*.md"), ROOT / "README.md"], key=str), ids=lambda p: p.name
)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_command_of_the_readme_is_in_the_help():
    said = subprocess.run(
        [sys.executable, "-m", "autarky.cli", "--help"], text=True, capture_output=True, check=True
    ).stdout
    listed = README.split("## Commands")[1].split("```")[1]
    for name in set(re.findall(r"^autarky (\w+)", listed, re.MULTILINE)):
        assert re.search(rf"^\s+{name}\b", said, re.MULTILINE), name
