"""Where functions and classes begin in source code, by tree-sitter; what no grammar is there for has no such places."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

from tree_sitter import Language, Node, Parser

_GRAMMARS = {
    ("tree_sitter_python", "language"): ".py .pyi",
    ("tree_sitter_javascript", "language"): ".js .mjs .cjs .jsx",
    ("tree_sitter_typescript", "language_typescript"): ".ts .mts .cts",
    ("tree_sitter_typescript", "language_tsx"): ".tsx",
    ("tree_sitter_java", "language"): ".java",
    ("tree_sitter_go", "language"): ".go",
    ("tree_sitter_rust", "language"): ".rs",
    ("tree_sitter_c", "language"): ".c .h",
    ("tree_sitter_cpp", "language"): ".cc .cpp .cxx .c++ .hh .hpp .hxx .inl .cu .cuh",
    ("tree_sitter_c_sharp", "language"): ".cs",
    ("tree_sitter_ruby", "language"): ".rb .rake .gemspec",
    ("tree_sitter_php", "language_php"): ".php .phtml",
}
_GRAMMAR_OF = {suffix: grammar for grammar, suffixes in _GRAMMARS.items() for suffix in suffixes.split()}

# Node types of these grammars. Nothing inside a function is a border.
_FUNCTIONS = frozenset(
    "function_definition function_declaration generator_function_declaration method_definition method_declaration "
    "constructor_declaration function_item macro_definition method singleton_method".split()
)
_CLASSES = frozenset(
    "class_definition class_declaration abstract_class_declaration interface_declaration enum_declaration "
    "record_declaration struct_declaration namespace_declaration type_declaration type_alias_declaration "
    "internal_module annotation_type_declaration trait_declaration struct_item enum_item union_item trait_item "
    "impl_item mod_item struct_specifier class_specifier union_specifier enum_specifier namespace_definition "
    "class module".split()
)
_WRAPPERS = frozenset("decorated_definition export_statement template_declaration".split())
_ARROWS = frozenset("arrow_function function_expression".split())
_LEADING = ("comment", "attribute", "decorator", "annotation")


def definition_starts(text: str, suffix: str) -> list[int]:
    """Places in `text`, ascending, of the lines where definitions of several lines begin, with the comments above them.

    `suffix` (lower case) is the file's; one without a grammar gives no places.
    """
    if (grammar := _GRAMMAR_OF.get(suffix)) is None:
        return []
    module, function = grammar
    source = text.encode("utf-8", "replace")
    tree = Parser(Language(getattr(import_module(module), function)())).parse(source)
    starts = {start for node in _definitions(tree.root_node) if (start := _line_start(node, source)) > 0}
    return _characters(source, sorted(starts))


def _definitions(root: Node) -> Iterator[Node]:
    """Definitions from the top of the file down, none from inside a function."""
    pending = [root]
    while pending:
        node = pending.pop()
        is_function = node.type in _FUNCTIONS or _holds_arrow(node)
        if (is_function or node.type in _CLASSES) and node.end_point.row > node.start_point.row:
            yield _whole(node)
        if not is_function:
            pending.extend(node.named_children)


def _holds_arrow(node: Node) -> bool:
    """`const name = () => {...}`."""
    if node.type not in ("lexical_declaration", "variable_declaration"):
        return False
    values = (child.child_by_field_name("value") for child in node.named_children)
    return any(value is not None and value.type in _ARROWS for value in values)


def _whole(node: Node) -> Node:
    """The node with its decorators, comments and attributes: the first of them."""
    while node.parent is not None and node.parent.type in _WRAPPERS:
        node = node.parent
    while (before := node.prev_sibling) is not None and any(kind in before.type for kind in _LEADING):
        # A grammar may count the line end as part of the comment.
        if before.end_point.row < node.start_point.row - 1 or before.start_point.row == node.start_point.row:
            break
        node = before
    return node


def _line_start(node: Node, source: bytes) -> int:
    """The byte at which the node's line begins; -1 where something else stands on it before the node."""
    start = source.rfind(b"\n", 0, node.start_byte) + 1
    return -1 if source[start : node.start_byte].strip() else start


def _characters(source: bytes, places: list[int]) -> list[int]:
    """Places in the decoded text for ascending places in its UTF-8."""
    found, before, characters = [], 0, 0
    for place in places:
        characters += len(source[before:place].decode("utf-8", "ignore"))
        before = place
        found.append(characters)
    return found
