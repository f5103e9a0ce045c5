"""Which file suffixes hold text, and which of them hold code."""

from __future__ import annotations

PROSE = frozenset(".txt .text .md .markdown .mdx .rst .adoc .asciidoc .org .log .tex .bib .srt .vtt .me .nfo".split())

DATA = frozenset(
    ".json .jsonl .ndjson .json5 .geojson .yaml .yml .toml .ini .cfg .conf .properties .env .xml .xsd "
    ".xsl .xslt .html .htm .xhtml .svg .rss .atom .plist .lock .diff .patch .proto .graphql .avsc .sql .http".split()
)

CODE = frozenset(
    ".py .pyi .pyx .pxd .js .mjs .cjs .jsx .ts .mts .cts .tsx .vue .svelte .astro .css .scss .sass .less .styl .c .h "
    ".cc .cpp .cxx .c++ .hh .hpp .hxx .inl .m .mm .cu .cuh .java .kt .kts .groovy .gradle .scala .sbt .clj .cljs .edn "
    ".cs .fs .fsi .fsx .vb .go .rs .swift .zig .nim .d .v .sv .vhd .vhdl .rb .erb .rake .gemspec .php .phtml .pl .pm "
    ".t .r .rmd .jl .lua .tcl .awk .sed .sh .bash .zsh .fish .ksh .ps1 .psm1 .bat .cmd .hs .lhs .elm .ml .mli .re .res "
    ".ex .exs .erl .hrl .lisp .lsp .el .scm .rkt .f .f77 .f90 .f95 .f03 .for .ada .adb .ads .pas .pp .dpr .cob .cbl "
    ".asm .s .sol .vy .move .wgsl .glsl .vert .frag .hlsl .metal .dart .hx .coffee .cmake .mk .mak .ninja .bzl .bazel "
    ".nix .tf .tfvars .hcl .rego .jinja .j2 .tmpl .tpl .hbs .mustache .ejs .pug .haml .slim .liquid .prisma .thrift "
    ".qml .gd .ahk .vim .applescript .stan .mo .mod .dockerfile".split()
)

TEXT = PROSE | DATA | CODE

MARKDOWN = frozenset(".md .markdown .mdx".split())

MEDIA_TYPES = {
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".mdx": "text/markdown",
    ".json": "application/json",
    ".xml": "application/xml",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".toml": "application/toml",
}
"""Media types of suffixes whose type differs from `text/plain`; the system's own table calls `.ts` a video."""
