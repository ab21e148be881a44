import json
from pathlib import Path

import pytest

from benchmarks.report import Options, Table, markdown, parse_options, publish, show

TABLE = Table("Speed", ["", "ours", "peer"], [["requests/s", 12345.6, 0.12345], ["p99", None, 7]])


def test_a_table_is_aligned_markdown() -> None:
    assert markdown(TABLE).splitlines() == [
        "**Speed**",
        "",
        "|            |   ours |   peer |",
        "|------------|-------:|-------:|",
        "| requests/s | 12,346 | 0.1235 |",
        "| p99        |      - |      7 |",
    ]


@pytest.mark.parametrize(
    ("cell", "shown"),
    [(1234567, "1,234,567"), (0.000123456, "0.0001235"), ("n/a", "n/a"), (3.0, "3")],
)
def test_numbers_are_shown_with_four_digits(cell: float | str, shown: str) -> None:
    assert show(cell) == shown


def test_the_options_are_those_of_every_benchmark() -> None:
    options = parse_options("A benchmark.", ["--json", "out.json", "--quick", "--data", "tables"])
    assert options == Options(json_file=Path("out.json"), quick=True, data=Path("tables"))


def test_numbers_are_printed_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = Options(json_file=tmp_path / "out.json", quick=True, data=None)
    publish("http", [TABLE], {"answer": 42}, options)
    written = json.loads((tmp_path / "out.json").read_text())
    assert (written["subject"], written["answer"], written["quick"]) == ("http", 42, True)
    assert "| requests/s |" in capsys.readouterr().out
