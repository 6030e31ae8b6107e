import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from foretell import ConfigError, GenerationConfig
from foretell.analysis.compare import Comparison, Figures, Run, StrategyResult
from foretell.analysis.compare.plot import TRACK, comparison_svg, save_plot

NAMESPACE = "{http://www.w3.org/2000/svg}"
HOSTILE = '</text><script>alert("1")</script> & ]]> \x00\x1b\ud800\ufffe'

FIGURES = Figures(
    mean_logprob=-2.0,
    perplexity=100.0,
    distinct_1=0.25,
    distinct_2=0.5,
    distinct_3=1.0,
    repeated_ngrams=0.75,
    agreement=None,
    mean_length=20.0,
)


def comparison(*figures, prompt="a prompt", name="name"):
    runs = (Run("text", None, "stop", [1], [-1.0]),)
    results = [
        StrategyResult(f"{name} {place}", GenerationConfig(), runs, found)
        for place, found in enumerate(figures)
    ]
    return Comparison(prompt, "a model", tuple(results))


def elements(found, tag, kind):
    tree = ET.fromstring(comparison_svg(found))
    return [item for item in tree.iter(NAMESPACE + tag) if item.get("class") == kind]


def bars_under(found, heading):
    """The lengths, as shares of the track, of the bars in a column of the picture."""
    (head,) = [item for item in elements(found, "text", "head") if item.text == heading]
    rows = len(found.results)
    bars = {(bar.get("x"), float(bar.get("y"))): bar for bar in elements(found, "rect", "bar")}
    tracks = [
        float(track.get("y"))
        for track in elements(found, "rect", "track")
        if track.get("x") == head.get("x") and float(track.get("y")) > float(head.get("y"))
    ][:rows]
    widths = [bars.get((head.get("x"), top)) for top in tracks]
    return [0.0 if bar is None else float(bar.get("width")) / TRACK for bar in widths]


def test_bars_are_as_long_as_the_figures():
    less = replace(FIGURES, distinct_1=FIGURES.distinct_1 / 2, perplexity=10.0, mean_length=10.0)
    found = comparison(FIGURES, less)
    assert bars_under(found, "perplexity (log scale)") == pytest.approx([1, 0.5], abs=1e-3)
    assert bars_under(found, "tokens a run") == pytest.approx([1, 0.5], abs=1e-3)
    assert bars_under(found, "distinct-1") == pytest.approx([0.25, 0.125], abs=1e-3)
    assert bars_under(found, "distinct-2") == pytest.approx([0.5, 0.5], abs=1e-3)
    assert bars_under(found, "repeated 4-grams") == pytest.approx([0.75, 0.75], abs=1e-3)
    assert bars_under(found, "agreement of seeds") == [0, 0]


def test_each_bar_stands_beside_its_figure():
    shown = [item.text for item in elements(comparison(FIGURES), "text", "quiet")]
    assert shown[0].startswith("a model")
    assert shown[1:] == ["100.00", "0.75", "–", "20.0", "0.25", "0.50", "1.00"]


@pytest.mark.parametrize("perplexity", [None, float("inf"), 1.0])
def test_a_figure_that_has_no_length_has_no_bar(perplexity):
    found = comparison(replace(FIGURES, perplexity=perplexity))
    assert bars_under(found, "perplexity (log scale)") == [0]


def test_hostile_names_and_prompts_stay_text():
    found = comparison(FIGURES, prompt=HOSTILE, name=HOSTILE)
    tree = ET.fromstring(comparison_svg(found).encode())
    tags = {item.tag.removeprefix(NAMESPACE) for item in tree.iter()}
    assert tags == {"svg", "title", "style", "rect", "text"}
    titles = [item.text for item in tree.iter(NAMESPACE + "title")]
    assert any('<script>alert("1")</script> & ]]> ���' in title for title in titles)


def test_long_texts_are_cut_and_names_kept_as_tips():
    found = comparison(FIGURES, prompt="word " * 99, name="고양이" * 20)
    (title,) = elements(found, "text", "title")
    assert title.text.endswith("…”")
    assert len(title.text) < 90
    (label, _) = elements(found, "text", "")
    assert label.find(NAMESPACE + "title").text == "고양이" * 20 + " 0"
    assert label.find(NAMESPACE + "title").tail.endswith("…")


def test_everything_lies_within_the_picture():
    found = comparison(*[FIGURES] * 12)
    _, _, width, height = map(float, ET.fromstring(comparison_svg(found)).get("viewBox").split())
    for item in elements(found, "rect", "track"):
        assert float(item.get("x")) + TRACK < width
        assert float(item.get("y")) + 12 < height


def test_files_are_svg_or_png_and_nothing_else_is_left(tmp_path):
    save_plot(comparison(FIGURES), tmp_path / "out.svg")
    save_plot(comparison(FIGURES), str(tmp_path / "out.PNG"))
    assert (tmp_path / "out.svg").read_text("utf-8") == comparison_svg(comparison(FIGURES))
    png = (tmp_path / "out.PNG").read_bytes()
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert int.from_bytes(png[16:20], "big") == 2 * 920
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.PNG", "out.svg"]


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    target = tmp_path / "out.svg"
    target.write_text("old")

    def fail(*_):
        raise OSError("no")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="no"):
        save_plot(comparison(FIGURES), target)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_paths_that_cannot_be_are_errors(tmp_path):
    with pytest.raises(ConfigError, match=r"out\.gif' must have a name in \.svg or \.png"):
        save_plot(comparison(FIGURES), tmp_path / "out.gif")
    with pytest.raises(ConfigError, match="must be a file in a folder that exists"):
        save_plot(comparison(FIGURES), tmp_path / "nowhere" / "out.svg")


def test_a_png_without_its_package_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("foretell.analysis.pictures.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"pip install 'resvg-py>=0\.5'"):
        save_plot(comparison(FIGURES), tmp_path / "out.png")
    save_plot(comparison(FIGURES), tmp_path / "out.svg")
