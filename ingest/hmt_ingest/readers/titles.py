"""What a document is called: by its own title if that says anything, or by its first heading."""

from __future__ import annotations

import re

_LONGEST = 300
_LEFT_BEHIND = re.compile(
    r"""^\W*(?:untitled|no\ title|title|none|null|unknown|unnamed|anonymous|unspecified|default|document|doc|slide
        |presentation|powerpoint\ presentation|page|layout|print|print\ job|new\ document|template)\W*\d*\W*$
      |^(?:microsoft|adobe|pscript|quark|print\ of|full\ page)\b.*(?:\s-\s|\.dll)
      |\.(?:docx?|docm|dotx?|pdf|indd|indb|tex|dvi|pptx?|xlsx?|xlsm|qx[pdb]|e?ps|rtf|odt|odp|pages|p65|pm\d|fm|book
        |html?|txt|md|ai|cdr|pub|tmp|wpd|jpe?g|png|tiff?)\W*$
      |^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]+$""",
    re.IGNORECASE | re.VERBOSE,
)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]+")


def sensible_title(stated: str, fallback: str) -> str:
    """The title that a file states, on one line, or `fallback` where it is blank, a default or a file name."""
    title = " ".join(_CONTROLS.sub(" ", stated).split())
    if not any(character.isalpha() for character in title) or _LEFT_BEHIND.search(title):
        return fallback
    return title if len(title) <= _LONGEST else title[:_LONGEST].rstrip() + "…"


def first_heading(text: str) -> str:
    """The first `# heading` of a markdown text, outside fenced code and front matter."""
    fenced = False
    for line in text.split("\n"):
        if line.startswith(("```", "~~~")):
            fenced = not fenced
        elif not fenced and line.startswith("# "):
            return " ".join(line.strip("# \t").split())
    return ""
