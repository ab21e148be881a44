"""`segue segments`: on the store of a real engine, and on files."""

import csv
import re
import shlex
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from api.cli.main import app
from tests.api.cli.segments.shop import CHANGED, N_VISITORS, made
from tests.api.service import configuration, write_configuration

OFTEN, SELDOM = "s1", "s2"


def segue(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["segments", *map(str, arguments)])


def said(*arguments: object) -> str:
    result = segue(*arguments)
    assert result.exit_code == 0, result.stderr or result.exception
    return " ".join(result.stdout.split())


def members(path: Path) -> dict[str, dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return {row["visitor"]: row for row in csv.DictReader(file)}


def test_fits_are_listed_with_what_became_of_their_segments(store: Path) -> None:
    found = said("list", "--source", store)
    assert "1 │ 2026-01-20" in found
    assert "2 │ 2026-02-10" in found
    assert "s1 born, s2 born" in found
    assert "2 kept" in found


def test_the_store_is_the_one_that_the_configuration_names(store: Path, tmp_path: Path) -> None:
    settings = configuration(service={"database": str(store)})
    found = said("list", "--config", write_configuration(tmp_path, settings))
    assert "2026-01-20" in found


def test_segments_are_shown_with_their_members_of_now(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "members.csv"
    found = said("show", "--source", store, "--members", file, "--draws", 3, "--outcome-days", 21)
    assert "fit 2, 60 visitors, 2026-02-10" in found
    assert "31 │ 51.7%" in found
    assert "adjusted Rand index 1.000 on average" in found
    assert re.search(r"variance of spend in 21 days, \d+\.\d% lies between segments", found)
    rows = members(file)
    assert len(rows) == N_VISITORS
    assert rows[CHANGED]["segment"] == OFTEN
    assert {rows[f"v{i}"]["segment"] for i in range(2, N_VISITORS, 2)} == {SELDOM}
    assert float(rows["v1"]["orders"]) == pytest.approx(21, rel=0.01)
    assert float(rows["v2"]["revenue_cents"]) == pytest.approx(400, rel=0.01)


def test_criteria_that_are_missed_are_said(store: Path, tmp_path: Path) -> None:
    settings = configuration(
        service={"database": str(store)}, segments={"criteria": {"smallest": 0.6}}
    )
    found = said("show", "-c", write_configuration(tmp_path, settings), "--draws", 2)
    assert "It misses the criteria: smallest segment 48" in found
    assert "misses" not in said("show", "--source", store, "--draws", 2)


def test_the_first_fit_saw_the_visitor_who_changed_elsewhere(store: Path, tmp_path: Path) -> None:
    page = tmp_path / "flows.html"
    found = said("compare", 1, 2, "--source", store, "--out", page)
    assert re.search(r"s2 │ s1 │ they changed │ 1 │", found)
    assert "98.3% of the visitors known at both times kept their segment" in found
    text = page.read_text(encoding="utf-8")
    assert '"type":"sankey"' in text
    assert "they changed" in text
    assert "<script src" not in text


def test_a_visitor_is_explained_under_any_id(store: Path) -> None:
    found = said("explain", "v2", "--source", store)
    assert "v2 is in s2:" in found
    assert "revenue_cents │ 400 │" in found
    assert "By doing nothing" not in found or "moves to" in found


def test_a_visitor_is_in_segments_made_by_hand_too(store: Path, tmp_path: Path) -> None:
    hand_made = [
        {"id": "regulars", "when": "profile.orders >= 20"},
        {"id": "seldom", "when": "profile.orders < 3"},
    ]
    settings = configuration(service={"database": str(store)}, segments={"hand_made": hand_made})
    path = write_configuration(tmp_path, settings)
    assert "Made by hand, and theirs: regulars." in said("explain", "v1", "-c", path)
    assert "Made by hand, and theirs: seldom." in said("explain", "v2", "-c", path)


def test_the_page_says_the_same_without_the_network(store: Path, tmp_path: Path) -> None:
    page = tmp_path / "segments.html"
    said("show", "--source", store, "--draws", 2, "--out", page)
    text = page.read_text(encoding="utf-8")
    assert "Shares of visitors and of revenue" in text
    assert "Does a segment come back" in text
    assert "fit by fit" in text
    assert "<script src" not in text


@pytest.mark.parametrize("family", ["value-tiers", "kmeans", "rfm", "tree-rules"])
def test_a_fit_of_any_family_can_be_shown_and_compared(
    store: Path, tmp_path: Path, family: str
) -> None:
    file = tmp_path / "fit.segue"
    settings = ["--source", store, "--family", family, "--out", file, "--outcome-days", 21]
    assert f"{family}, version 3" in said("fit", *settings, "--n-segments", 2, "--previous", 2)
    assert "fit.segue, 60 visitors" in said("show", "--fit", file, "--source", store)
    assert "kept their segment" in said("compare", 1, file, "--source", store)


def test_a_fit_leaves_the_store_as_it_is(store: Path, tmp_path: Path) -> None:
    before = store.read_bytes()
    said("fit", "--source", store, "--out", tmp_path / "fit.segue")
    assert store.read_bytes() == before


def test_parquet_does_instead_of_a_store(store: Path, tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="parquet needs pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet", reason="parquet needs pyarrow")
    visitors, fit = tmp_path / "visitors.parquet", tmp_path / "fit.segue"
    said("show", "--source", store, "--members", visitors)
    assert "s1" in said("fit", "--source", visitors, "--family", "kmeans", "--out", fit)
    assert "60 visitors" in said("show", "--source", visitors, "--fit", fit)
    assert "v1 is in" in said("explain", "v1", "--source", visitors, "--fit", fit)
    comparing = ["--source", visitors, "--before", visitors]
    assert "100.0% of the visitors" in said("compare", fit, fit, *comparing)
    spent = pyarrow.array([100.0 * number for number in range(N_VISITORS)])
    table = parquet.read_table(visitors).append_column("later_cents", spent)
    parquet.write_table(table, tmp_path / "later.parquet")
    later = ["--source", tmp_path / "later.parquet", "--target", "later_cents"]
    assert "Of the variance of later_cents" in said("show", "--fit", fit, *later)
    assert "tree-rules" in said("fit", "--family", "tree-rules", "--out", fit, *later)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("show", "--source", "none.db"), "none.db cannot be read as a store"),
        (("show", "--source", "STORE", "--fit", "9"), "holds no fit 9; it holds 1, 2"),
        (("show", "--source", "STORE", "--fit", "x.segue"), "x.segue cannot be read as a segm"),
        (("show", "--source", "STORE", "--members", "m.txt"), "must end in .csv or .parquet"),
        (("show", "--source", "STORE", "--outcome-days", "900"), "choose fewer days"),
        (("compare", "2", "1", "--source", "STORE"), "fit 2 is later than fit 1"),
        (("explain", "nobody", "--source", "STORE"), "'nobody': not known"),
        (("fit", "--source", "STORE", "--family", "x", "--out", "f"), "must be one of kmeans"),
        (("list", "-c", "nowhere.toml"), "nowhere.toml: cannot be read"),
    ],
)
def test_what_cannot_be_is_said(store: Path, arguments: tuple[str, ...], told: str) -> None:
    result = segue(*(str(store) if one == "STORE" else one for one in arguments))
    assert result.exit_code == 2
    assert told in " ".join(result.stderr.split())


def test_the_examples_of_the_page_run(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = Path(__file__).parents[4] / "docs" / "segments.md"
    (block,) = re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    write_configuration(tmp_path, configuration(service={"database": str(store)}))
    monkeypatch.chdir(tmp_path)
    for line in block.splitlines():
        program, group, *arguments = shlex.split(line)
        assert (program, group) == ("segue", "segments")
        assert said(*arguments)
    assert {path.name for path in tmp_path.iterdir()} > {"segments.html", "flows.html"}


def test_a_dry_refit_says_what_would_come_of_it_and_changes_nothing(
    store: Path, tmp_path: Path
) -> None:
    settings = configuration(
        service={"database": str(store), "clock": "replay"}, segments={"n_segments": 2}
    )
    path = write_configuration(tmp_path, settings)
    before = store.read_bytes()
    found = said("refit", "--dry-run", "--config", path)
    assert "dry-run: it would be adopted (kmeans, 60 visitors, 0.0% of them renamed)" in found
    assert "s1: 31 (51.7%)" in found
    assert store.read_bytes() == before


def test_a_store_without_a_service_is_refitted_and_the_changes_are_told(tmp_path: Path) -> None:
    store = made(tmp_path)
    settings = configuration(service={"database": str(store), "clock": "replay"})
    path = write_configuration(tmp_path, settings)
    assert "adopted (kmeans, 60 visitors, 0.0% of them renamed, version 3)" in said(
        "refit", "--config", path
    )
    assert "3 │ 2026-02-10" in said("list", "--source", store)
    moved = said("moves", "--source", store, "--days", 90)
    assert "segments │ - │" in moved
    assert "from nowhere to s1 (segments), by " in said("explain", "v1", "--source", store)
    page = tmp_path / "page.html"
    said("show", "--source", store, "--out", page)
    text = page.read_text(encoding="utf-8")
    assert "Members, day by day" in text
    assert "Who changed segment since" in text


def test_changes_are_asked_of_a_store(tmp_path: Path) -> None:
    result = segue("moves", "--source", tmp_path / "x.parquet")
    assert result.exit_code != 0
    assert "changes are in a store" in result.stderr


def test_a_store_of_before_refits_and_changes_were_written_down_is_read(
    store: Path, tmp_path: Path
) -> None:
    older = tmp_path / "older.db"
    with closing(sqlite3.connect(store)) as source, closing(sqlite3.connect(older)) as copy:
        source.backup(copy)
        for table in ("refits", "transitions", "memberships"):
            copy.execute(f"DROP TABLE {table}")
    assert "2 kept" in said("list", "--source", older)
    assert "31 │ 51.7%" in said("show", "--source", older)
    said("moves", "--source", older)
