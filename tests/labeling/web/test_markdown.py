"""Texts come out as they were written: mathematics, code, numbers and backslashes; and nothing in them can do harm."""

import html as entities
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.web.markdown import render_prose, render_raw


def texts(html: str) -> list[str]:
    """What is read, block by block."""
    return [entities.unescape(re.sub("<[^>]+>", "", line)) for line in html.splitlines() if re.sub("<[^>]+>", "", line)]


@pytest.mark.parametrize(
    "written",
    [
        "1986. was a good year",
        "3.",
        "391.",
        "3) is the third",
        "007. is an agent",
        "[1]: https://example.org/a",
        r"C:\\Users\alice, and \\ alone",
        r"an open \( alone",
        "it costs $5 and $10",
        "from $5-$10 to US$5/US$6",
        "$5 per unit, of which R$",
        "$HOME/bin:$PATH",
    ],
)
def test_it_is_shown_as_it_was_written(written: str) -> None:
    html = render_prose(written)
    assert texts(html) == [written]
    assert not re.search("<(ol|li|math)", html)


def test_several_numbered_years_are_paragraphs() -> None:
    assert render_prose("1986. one\n1987. *two*") == (
        '<p dir="auto">1986. one</p>\n<p dir="auto">1987. <em>two</em></p>\n'
    )


def test_every_item_keeps_its_own_number_and_its_bracket() -> None:
    html = render_prose("2) a\n2) b\n7) c")
    assert re.findall(r'value="(\d+)"', html) == ["2", "2", "7"]
    assert 'class="in-brackets"' in html


def test_a_number_before_code_is_kept() -> None:
    assert texts(render_prose("2. ```\n   x = 1\n   ```")) == ["2.", "x = 1"]


def test_a_backslash_takes_away_what_markdown_means() -> None:
    assert texts(render_prose(r"\*not emphasised\* and \$5\$")) == ["*not emphasised* and $5$"]


@pytest.mark.parametrize("written", ["$x^2$", r"\(x^2\)"])
def test_a_formula_in_a_line_is_mathml(written: str) -> None:
    html = render_prose(f"So {written} is.")
    assert '<math display="inline" dir="ltr"><mrow><msup><mi>x</mi><mn>2</mn></msup></mrow></math>' in html


@pytest.mark.parametrize(
    "written", ["$$\na\n- b\n$$", "\\[\na\n- b\n\\]", "$$a - b$$", "\\begin{equation}\na\n- b\n\\end{equation}"]
)
def test_a_displayed_formula_is_one_though_its_lines_look_like_markdown(written: str) -> None:
    html = render_prose(f"Then\n{written}\nfollows.")
    assert html.count('<math display="block"') == 1
    assert "<mo>−</mo>" in html
    assert "<li" not in html


def test_aligned_lines_are_a_table_without_invented_numbers() -> None:
    html = render_prose("\\begin{align}\na &= b \\\\\nc &= d\n\\end{align}")
    assert html.count("<mtr>") == 2
    assert "(1)" not in html


@pytest.mark.parametrize(
    "latex",
    [
        r"\frac{1",
        r"\frac{1}",
        r"\unknown{x}",
        "a & b",
        "x^2_",
        r"\begin{tikzcd} a \end{tikzcd}",
        r"\def\a{\a\a}\a",
        r"\newcommand{\a}{xx}\a",
        r"\phantom{hidden}",
        r"\hspace{9999em}x",
        r"\hspace{-20em}x",
        "{" * 900,
        "x+" * 1500,
    ],
)
def test_latex_that_cannot_be_shown_is_its_source(latex: str) -> None:
    html = render_prose(f"\\({latex}\\)")
    assert "<math" not in html
    assert texts(html) == [f"\\({latex}\\)"]


@pytest.mark.parametrize(
    "latex",
    [
        r"\text{<script>harm()</script>}",
        r"\href{javascript:harm()}{x}",
        r"\style{position:fixed}{x}",
        r"\class{code}{x}",
        r"\text{&lt;script&gt;harm()&lt;/script&gt;}",
        r"\mathrm{<img src=x onerror=harm()>}",
        r"</math><script>harm()</script>",
        r"\color{red}{x}",
    ],
)
def test_latex_makes_nothing_but_plain_mathml(latex: str) -> None:
    tags = Tags(render_prose(f"$${latex}$$"))
    assert tags.names
    assert tags.names <= {"p", "code", "math", "mrow", "mi", "mo", "mn", "mtext", "mstyle", "mspace"}
    assert tags.attributes <= {"dir", "display", "stretchy", "fence", "form", "class", "mathvariant"}
    assert tags.classes <= {"tex"}


class Tags(HTMLParser):
    """The names of the tags, the attributes and the classes of some HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.classes: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.classes |= {word for name, value in attrs if name == "class" for word in (value or "").split()}


def test_code_is_coloured_by_classes_and_its_text_is_kept() -> None:
    code = "\ndef f(x):  # <b>\n\treturn 'a'  \n\n"
    html = render_prose(f"```python\n{code}```")
    assert '<span class="hl-keyword">def</span>' in html
    assert "style=" not in html
    assert entities.unescape(re.sub("<[^>]+>", "", html.partition("<pre")[2].partition(">")[2])) == code + "\n"


@pytest.mark.parametrize("named", ["", "nonsense", "<script>", "python" * 500])
def test_code_in_no_known_language_is_plain(named: str) -> None:
    html = render_prose(f"```{named}\ndef f(): 0\n```")
    assert "<code>def f(): 0\n</code>" in html
    assert "<script" not in html


def test_each_block_has_a_direction_of_its_own() -> None:
    html = render_prose("One\n\nاثنان\n\n- three\n- أربعة\n\n# five\n\n| a |\n|---|\n| b |")
    assert len(re.findall('<(?:p|li|h1|th|td) dir="auto">', html)) == 7


@given(
    st.text(alphabet=st.sampled_from(list("$\\()[]{}`*1. \nab&<>^_-|#~\u202e")), max_size=200) | st.text(max_size=300)
)
def test_no_text_fails_or_makes_a_tag_of_its_own(text: str) -> None:
    assert "<script" not in render_prose(text).lower()
    raw = re.sub(r'<bdi class="turn" data-code="U\+[0-9A-F]{4}">(.)</bdi>', r"\1", render_raw(text), flags=re.DOTALL)
    assert "<" not in raw
    assert unescaped(raw) == text


def test_a_browser_reads_carriage_returns_out_of_the_raw_text() -> None:
    assert render_raw("a\r\nb\r") == "a&#13;\nb&#13;"


def unescaped(raw: str) -> str:
    """What a browser reads: Python's own rules refuse some numeric references, and these five are all there are."""
    for name, character in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&#x27;", "'"), ("&#13;", "\r")):
        raw = raw.replace(name, character)
    return raw.replace("&amp;", "&")
