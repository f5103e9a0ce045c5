"""Options that several commands have, with their help."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class EngineKind(StrEnum):
    """Who reads documents."""

    LOCAL = "local"
    RAY = "ray"


Home = Annotated[Path | None, typer.Option("--home", metavar="DIR", help="The one data directory [env: HMT_QA_HOME].")]
Json = Annotated[bool, typer.Option("--json", help="JSON Lines on stdout, nothing else.")]
Model = Annotated[Path | None, typer.Option("--model", metavar="DIR", help="A checkpoint's folder.")]
Device = Annotated[str | None, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")]
Dtype = Annotated[str | None, typer.Option("--dtype", help="auto, float32 or bfloat16.")]
Attention = Annotated[str | None, typer.Option("--attention", help="auto, sdpa, eager or flash_attention_2.")]
Password = Annotated[str | None, typer.Option(help="Of encrypted PDFs.", envvar="HMT_QA_PASSWORD")]
Collection = Annotated[str | None, typer.Option("--collection", "-c", help="Only this collection.")]
Engine = Annotated[EngineKind, typer.Option("--engine", help="Who reads: this process, or workers on a Ray cluster.")]
RayAddress = Annotated[
    str, typer.Option(metavar="HOST:PORT", help="The cluster's address; a cluster of this machine alone without one.")
]
Documents = Annotated[list[str] | None, typer.Option("--document", "-d", metavar="ID", help="Only this; repeatable.")]
Workers = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Files open at once, each parsed by its own process; 1: one by one."),
]
