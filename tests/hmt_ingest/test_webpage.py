"""HTML: what a reader of the page would see, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hmt_ingest.readers.markup import plain_text, read_markup
from hmt_qa.errors import EmptyFile, UnsupportedFile
from tests.hmt_ingest.opened import read, texts


def test_pages_begin_at_headings_of_the_first_two_ranks(tmp_path):
    path = tmp_path / "a.html"
    path.write_text(
        "<title>Owls &amp; more</title><p>Preface<h1>Owls <i>here</i></h1><p>An owl.<h2>In summer</h2>"
        "<p>A summer owl.<h3>At noon</h3><p>No owl."
    )
    source, pages = read(path)
    assert source.title == "Owls & more"
    assert [(page.label, page.text) for page in pages] == [
        ("1", "Preface\n"),
        ("Owls here", "Owls here\n\nAn owl.\n"),
        ("In summer", "In summer\n\nA summer owl.\n\nAt noon\n\nNo owl.\n"),
    ]


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("one <b>two</b>three\n  four", "one twothree four\n"),
        ("a<br>b<div>c</div>d", "a\nb\nc\nd\n"),
        ("<pre>\n x\n   y</pre>", " x\n   y\n"),
        ("<ul><li>a<li><p>b</p></ul>", "- a\n- b\n"),
        ("<table><tr><th>Y</th> <th>N</th></tr><tr><td><p>1</p></td><td><p>2</p></td></table>", "Y | N\n1 | 2\n"),
        ("<table><tr><td>1<td></tr><tr><td><td>2</table>after", "1 |\n | 2\n\nafter\n"),
        ("<table><tr><td><p>a<p>b<td>c</table>", "a\n\nb | c\n"),
        ("<p>a</p><script>no()</script><style>no{}</style><template>no</template><p hidden>no</p><!-- no -->", "a\n"),
        ("see <img alt='the owl'> there", "see the owl there\n"),
        ("&lt;b&gt; &#x1F600; &nbsp;x", "<b> 😀 \xa0x\n"),
        ("<p>unclosed <b>tags <i>everywhere", "unclosed tags everywhere\n"),
        ("", ""),
    ],
)
def test_text_is_laid_out_as_it_would_be_seen(markup, text):
    assert plain_text(markup) == text


@settings(max_examples=200)
@given(st.text(st.sampled_from("ab <>/&;\"'=!-\n") | st.characters(exclude_categories=["Cs"]), max_size=200))
def test_any_markup_is_read(markup):
    for part in read_markup(markup).parts:
        assert (part.text.strip() and part.text.endswith("\n")) or part.unread


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text("abcé漢", min_size=1, max_size=8), min_size=1, max_size=30), st.data())
def test_no_word_is_lost_among_elements(words, data):
    tags = st.sampled_from(["p", "div", "b", "td", "li", "h1", "h2", "pre", "section", "span"])
    markup = "".join(f"<{tag}>{word} </{tag}>" for word in words for tag in [data.draw(tags)])
    assert [word for word in plain_text(markup).split() if word not in "-|"] == words


@pytest.mark.parametrize(
    ("head", "encoding"),
    [("<meta charset=iso-8859-2>", "iso-8859-2"), ("<meta charset=utf-8>", "cp1252"), ("", "utf-8"), ("", "utf-16")],
)
def test_the_encoding_is_found(tmp_path, head, encoding):
    path = tmp_path / "a.htm"
    path.write_bytes(f"{head}<p>Der Uhu fällt über Mäuse her; große Bären läßt er in Ruhe.".encode(encoding))
    assert texts(path)[0][1] == "Der Uhu fällt über Mäuse her; große Bären läßt er in Ruhe.\n"


def test_a_page_of_pictures_says_so_and_an_empty_one_is_refused(tmp_path):
    path = tmp_path / "a.html"
    path.write_text("<body><img src=a.png></body>")
    _, (page,) = read(path)
    assert page.unread == "a picture"
    path.write_text("<body><script>x()</script></body>")
    with pytest.raises(EmptyFile):
        read(path)
    path.write_bytes(b"<p>\0\1\2")
    with pytest.raises(UnsupportedFile):
        read(path)
