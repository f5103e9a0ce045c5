"""Where functions and classes begin, in every language that a grammar is there for."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hmt_ingest.readers.definitions import definition_starts
from hmt_ingest.readers.text import TextReader

# Each ¶ stands where a definition begins.
SOURCES = {
    ".py": """\
import a

¶# of b
@dec(
  1)
def b():
    def inner():
        pass
    return 1


¶class C:
    x = 1

¶    def d(self):
        return 'é'

¶    async def e(self):
        pass
one = lambda: 1
""",
    ".js": """\
import x from 'y';

¶/** of f */
export function f() {
  return 1;
}
¶const g = async () => {
  f();
};
¶class A {
¶  m() {
    return function () {
    };
  }
}
const one = () => 1;
""",
    ".ts": """\
const a = 1;
¶export interface I {
  a: string;
}
¶export abstract class A {
¶  // of m
  @dec
  m(): void {
  }
}
""",
    ".tsx": """\
const a = 1;
¶export const View = (p: P) => {
  return <b>{p.x}</b>;
};
""",
    ".java": """\
package a;

¶/** of A */
@Deprecated
public class A {
    int x;

¶    @Override
    public int m() {
        return 1;
    }

¶    enum E {
        X
    }
}
""",
    ".go": """\
package a

¶// of F
func F() int {
	return 1
}

¶type T struct {
	a int
}

¶func (t T) M() {
}
""",
    ".rs": """\
use a;

¶/// of f
#[test]
fn f() {
}

¶struct S {
    a: u8,
}

¶impl S {
¶    /// ü
    pub fn m(&self) {
    }
}
""",
    ".c": """\
#include <a.h>

¶/* of f */
static int
f(int a)
{
    return a;
}

#ifdef X
¶struct s {
    int a;
};
#endif
""",
    ".cpp": """\
#include <a>

¶template <typename T>
class A {
¶  void m() {
  }
};

¶namespace n {
¶int f() {
  return 1;
}
}
""",
    ".cs": """\
using A;

¶namespace N {
¶    // of C
    [Attr]
    public class C {
¶        public int M() {
            return 1;
        }
    }
}
""",
    ".rb": """\
require 'a'

¶# of M
module M
¶  class C
¶    def m
      1
    end
  end
end
""",
    ".php": """\
<?php
$a = 1;

¶/** of f */
function f() {
    return 1;
}

¶class C {
¶    public function m() {
    }
}
""",
}


@pytest.mark.parametrize("suffix", SOURCES)
def test_borders_are_functions_methods_and_classes_with_what_belongs_above_them(suffix):
    marked = SOURCES[suffix]
    source, places = "", []
    for piece in marked.split("¶"):
        source += piece
        places.append(len(source))
    assert definition_starts(source, suffix) == places[:-1]


def test_without_a_grammar_and_at_the_very_beginning_there_are_none():
    assert definition_starts("def a():\n  pass\n", ".unheardof") == []
    assert definition_starts("def a():\n  pass\n", ".py") == []


@given(st.text(st.sampled_from("def class():{}\n\t '\"#é😀@fn")), st.sampled_from(sorted(SOURCES)))
def test_borders_of_any_text_are_line_starts_in_order(text, suffix):
    starts = definition_starts(text, suffix)
    assert starts == sorted(set(starts))
    assert all(text[start - 1] == "\n" for start in starts)


def test_borders_stay_true_on_pages(tmp_path: Path):
    path = tmp_path / "a.py"
    functions = [f"def größe_{number}():\n    return '{'é' * (number % 50)}'\n\n" for number in range(200)]
    path.write_text("x = '😀'\n" + "".join(functions))
    with TextReader().open(path) as source:
        pages = list(source)
    assert len(pages) > 5
    begun = [page.text[border:].split("(")[0] for page in pages for border in page.borders]
    assert begun == [f"def größe_{number}" for number in range(200)]
