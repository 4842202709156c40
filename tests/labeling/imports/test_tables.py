"""Tables as files: CSV, TSV and Parquet row by row, what their names mean, and what cannot be read of them."""

import gzip
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from labeling.imports import FileRefused, import_rankings, uploads
from labeling.imports.detection import columns_of, detect
from labeling.imports.reader import Entry, EntryReader, Refusal
from labeling.models import Dialogue, Import, Project, Ranking
from tests.labeling.imports.files import assistant, user


def write(path: Path, text: str) -> Path:
    content = text.encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def rows(path: Path, **options: Any) -> list[Any]:
    """(line, value) of every entry, and (line, reason) of every refusal."""
    return [(one.line, one.value if isinstance(one, Entry) else one.reason) for one in EntryReader(path, **options)]


@pytest.mark.parametrize("name", ["pairs.csv", "pairs.csv.gz"])
def test_a_row_is_an_object_under_the_header(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, 'prompt,chosen,note\n"Why, then?","Yes,\n""so""",\nAgain?, No,x\n')
    assert rows(path) == [
        (2, {"prompt": "Why, then?", "chosen": 'Yes,\n"so"'}),
        (4, {"prompt": "Again?", "chosen": " No", "note": "x"}),
    ]


@pytest.mark.parametrize(("name", "mark"), [("a.tsv", "\t"), ("a.csv", ";"), ("a.csv", "\t"), ("a.TSV", "\t")])
def test_cells_are_parted_as_the_header_parts_them(tmp_path: Path, name: str, mark: str) -> None:
    path = write(tmp_path / name, f"\ufeffprompt{mark}chosen\r\na, b{mark}c\r\n\r\n")
    assert rows(path) == [(2, {"prompt": "a, b", "chosen": "c"})]


def test_what_is_no_text_is_read_as_what_it_is(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.csv",
        'messages,label,answer,scores\n"[{""role"": ""user"", ""content"": ""Q""}]",False,True,"[1, 2]"\n',
    )
    assert rows(path) == [(2, {"messages": [user("Q")], "label": False, "answer": "True", "scores": [1, 2]})]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a,b\n1,2,3\n", "has 3 cells, and the header has 2"),
        ("a,b\n1\n", "has 1 cells, and the header has 2"),
        ("messages,b\n\"[{'role': 'user'}]\",x\n", '"messages" begins as a list does and is not JSON'),
        ('a,b\n"open,x\n', "cannot be read as a table"),
        ("a,b\nx\0y,z\n", "NUL"),
    ],
)
def test_a_row_that_makes_no_sense_is_refused_with_its_line(tmp_path: Path, text: str, reason: str) -> None:
    ((line, said),) = rows(write(tmp_path / "a.csv", text))
    assert line == 2
    assert reason in said


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"a,a\n1,2\n", 'two columns called "a"'), (b",\n1,2\n", "has no header"), (b"a,b\n\xff,2\n", "is not UTF-8")],
)
def test_a_table_that_cannot_be_read_says_why(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    assert reason in rows(path)[-1][1]
    with pytest.raises(FileRefused, match=reason):
        detect(path, kind="rankings")


def test_parquet_gives_its_rows_as_json(tmp_path: Path) -> None:
    table: list[dict[str, Any]] = [
        {"messages": [user("Q"), assistant("A")], "label": True, "score": 0.5, "at": datetime(2026, 1, 1, tzinfo=UTC)},
        {"messages": None, "label": None, "score": None, "at": None},
        {"messages": [user("NUL \0")], "label": None, "score": None, "at": None},
    ]
    pq.write_table(pa.Table.from_pylist(table), tmp_path / "a.parquet")
    (first, second, third) = rows(tmp_path / "a.parquet")
    assert first == (1, {**table[0], "at": "2026-01-01T00:00:00+00:00"})
    assert second == (2, {})
    assert third == (3, "has a NUL character")


def test_a_broken_parquet_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and no more")
    assert "no Parquet file that can be read" in rows(tmp_path / "a.parquet")[0][1]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_names_mean_what_a_person_says(tmp_path: Path, name: str) -> None:
    text = (
        "Frage,gut,schlecht,Nr\nQ,A,B,7\n"
        if name == "a.csv"
        else '{"Frage": "Q", "gut": "A", "schlecht": "B", "Nr": "7"}\n'
    )
    path = write(tmp_path / name, text)
    assert columns_of(path) == {"Frage": "Q", "gut": "A", "schlecht": "B", "Nr": "7"}
    columns = {"Frage": "prompt", "gut": "chosen", "schlecht": "rejected", "Nr": ""}
    assert rows(path, columns=columns)[0][1] == {"prompt": "Q", "chosen": "A", "rejected": "B"}
    assert detect(path, kind="rankings", columns=columns).name == "trl"


@pytest.mark.django_db
def test_the_command_is_told_what_names_mean(project: Project, tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "Frage,gut,schlecht\nQ,A,B\n")
    given = [f"--column={one}" for one in ("Frage=prompt", "gut=chosen", "schlecht=rejected")]
    call_command("import_rankings", str(path), f"--project={project.slug}", *given)
    assert Ranking.objects.get().comparison.messages == [user("Q")]
    with pytest.raises(CommandError, match="must be NAME=MEANING"):
        call_command("import_rankings", str(path), f"--project={project.slug}", "--column=Frage")


@pytest.mark.django_db
def test_a_table_comes_in_as_its_rows_say(project: Project, tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "prompt,response_a,response_b,winner\nQ,A,B,b\nR,A,B,tie\nS,A,B,maybe\n")
    report = import_rankings(path, project=project, by=None, on_error="skip")
    assert (report.imported, [one.line for one in report.refused]) == (2, [4])


# In the browser


@pytest.mark.django_db
@pytest.mark.usefixtures("store", "sent")
def test_a_table_with_names_of_its_own_is_told_what_they_mean(project: Project, erins_browser: Client) -> None:
    file = SimpleUploadedFile("a.csv", b"Frage,Antwort,Nr\nQ,A,7\n")
    answer = erins_browser.post(reverse("new_import", args=[project.slug]), {"file": file, "into": "dialogues"})
    brought = Import.objects.get()
    assert brought.format == ""
    page = erins_browser.get(answer.headers["Location"]).text
    assert "no known format looks like that" in page
    assert "Frage" in page
    assert erins_browser.post(answer.headers["Location"], {}).status_code == 422, "nothing can be taken in yet"

    reading = reverse("read_import_differently", args=[project.slug, brought.id])
    said = {"format": "auto", "column-0": "prompt", "column-1": "prompt", "column-2": "="}
    refused = erins_browser.post(reading, said)
    assert refused.status_code == 422
    assert "Two columns mean “prompt”" in refused.text
    assert erins_browser.post(reading, said | {"column-1": "completion"}).status_code == 302
    page = erins_browser.get(answer.headers["Location"]).text
    assert "<code>Nr</code>" in page, "the column that nobody reads is named"
    assert 'value="completion" selected' in page

    erins_browser.post(answer.headers["Location"], {})
    assert uploads.run_import(brought.id)
    dialogue = Dialogue.objects.get()
    assert [message.content for message in dialogue.messages.order_by("position")] == ["Q", "A"]


@pytest.mark.django_db
@pytest.mark.usefixtures("store", "sent")
def test_a_format_can_be_chosen_in_the_browser(project: Project, erins_browser: Client) -> None:
    file = SimpleUploadedFile(
        "a.jsonl", b'{"id": "d", "messages": [{"role": "user", "content": "Q"}], "split": "train"}\n'
    )
    answer = erins_browser.post(reverse("new_import", args=[project.slug]), {"file": file, "into": "dialogues"})
    brought = Import.objects.get()
    assert brought.format == "records"
    reading = reverse("read_import_differently", args=[project.slug, brought.id])
    erins_browser.post(reading, {"format": "openai", "column-0": "=", "column-1": "=", "column-2": "="})
    brought.refresh_from_db()
    assert (brought.format, brought.columns) == ("openai", {})
    assert "OpenAI chat messages" in erins_browser.get(answer.headers["Location"]).text


@pytest.mark.django_db
@pytest.mark.usefixtures("store", "sent")
def test_who_may_not_bring_a_file_may_not_say_what_it_means(project: Project, erins_browser: Client) -> None:
    file = SimpleUploadedFile("a.csv", b"Frage,Antwort\nQ,A\n")
    erins_browser.post(reverse("new_import", args=[project.slug]), {"file": file, "into": "dialogues"})
    reading = reverse("read_import_differently", args=[project.slug, Import.objects.get().id])
    assert Client().post(reading, {"format": "auto"}).status_code == 302
    assert Import.objects.get().columns == {}


def test_refusals_of_a_table_are_refusals(tmp_path: Path) -> None:
    (one,) = EntryReader(write(tmp_path / "a.csv", "a,b\n1\n"))
    assert isinstance(one, Refusal)
