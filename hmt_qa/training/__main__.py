"""Trains one stage, also by torchrun: `python -m hmt_qa.training base|memory|answers|asker --data DIR --out DIR ...`.

    torchrun --nproc-per-node 2 -m hmt_qa.training answers --init DIR --data DIR --work DIR --out DIR --minutes 15

`--recipe run.rates.matrices=0.004` changes any entry of the stage's recipe (see `hmt_qa.training.recipes`).
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from time import monotonic
from typing import Any

import torch

from hmt_qa.model.config import HMTConfig
from hmt_qa.training import recipes
from hmt_qa.training.answers import AnswersStage
from hmt_qa.training.base import BaseStage, fresh
from hmt_qa.training.changing import changed
from hmt_qa.training.checkpoints import EMBEDDED, begin, leave
from hmt_qa.training.compiling import compile_layers
from hmt_qa.training.data import open_tokenizer
from hmt_qa.training.loop import train
from hmt_qa.training.memory import MemoryStage
from hmt_qa.training.parallel import Place
from hmt_qa.training.teacher import Teacher
from hmt_qa.training.unroll import MemoryKind, for_training

logger = logging.getLogger("hmt_qa.training")


def main(arguments: list[str] | None = None) -> None:
    """Parse, train, write the checkpoint."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
    recipe = _recipe(options)
    tokenizer = open_tokenizer(options.init)
    place = Place.join()
    begun = monotonic()
    torch.set_float32_matmul_precision("high")
    if not place.first:
        place.wait()  # the first process makes what is cached in the work folder
    stage = _stage(recipe, options, place, tokenizer)
    if place.first:
        place.wait()
    logger.info("data_ready seconds=%.0f", monotonic() - begun)
    begun = monotonic()
    for_training(stage.model, place.device)
    if recipe.compiled and place.device.type == "cuda":
        compiled = compile_layers(stage.model, place.device)
        logger.info("layers_compiled=%s seconds=%.0f", compiled, monotonic() - begun)
    trained = options.stage not in {"base", "asker"} and getattr(recipe, "kind", MemoryKind.HMT) is not MemoryKind.NONE

    def export() -> None:
        if place.first:
            leave(
                stage.model,
                options.out,
                tokenizer=options.init,
                memory_trained=trained,
                keep_float=options.keep_float,
            )

    train(
        stage,
        recipe.run,
        place,
        options.work / (options.name or options.stage),
        resume=options.resume,
        export=export,
        begun=begun,
    )
    export()
    place.wait()
    place.leave()


def _stage(recipe: recipes.Recipe, options: argparse.Namespace, place: Place, tokenizer: Any) -> Any:
    """The stage with its model on this process's device, all processes starting from the same weights."""
    where = {"data": options.data, "work": options.work, "tokenizer": tokenizer}
    sizes = {name: int(value) for name, _, value in (entry.partition("=") for entry in options.size)}
    if isinstance(recipe, recipes.Base):
        if recipe.asking:
            return BaseStage(begin(options.init, place.device), recipe, place, **where)
        shape = HMTConfig.from_pretrained(options.init)
        return BaseStage(_placed(fresh(shape, recipe.run.seed), place), recipe, place, **where)
    if isinstance(recipe, recipes.Memory):
        if recipe.kind is MemoryKind.RMT:
            sizes["recall_window"] = 1
        return MemoryStage(begin(options.init, place.device, **sizes), recipe, place, **where)
    teacher = Teacher(options.teacher, place.device) if options.teacher else None
    return AnswersStage(begin(options.init, place.device, **sizes), recipe, place, **where, teacher=teacher)


def _placed(model: Any, place: Place) -> Any:
    return model.to(place.device).train()


def _recipe(options: argparse.Namespace) -> recipes.Recipe:
    recipe = recipes.smoke(options.stage) if options.smoke else getattr(recipes, options.stage)()
    changes = dict(entry.split("=", 1) for entry in options.recipe)
    if options.minutes is not None:
        changes["run.minutes"] = str(options.minutes)
    if options.steps is not None:
        changes["run.steps"] = str(options.steps)
    made: recipes.Recipe = changed(recipe, changes)
    return made


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m hmt_qa.training", description=__doc__.partition("\n")[0])
    parser.add_argument("stage", choices=["base", "memory", "answers", "asker"])
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with corpus/ and qa/, searched for *.jsonl.zst"
    )
    parser.add_argument("--work", type=Path, required=True, help="tokens, states to resume from, log.jsonl")
    parser.add_argument("--out", type=Path, required=True, help="the checkpoint this makes, int8 rows")
    parser.add_argument("--init", type=Path, default=EMBEDDED, help="checkpoint to begin from; base takes its shape")
    parser.add_argument("--name", default="", help="of the run's folder in --work; the stage's name by default")
    parser.add_argument("--recipe", nargs="*", default=[], metavar="KEY=VALUE", help="changes to the recipe")
    parser.add_argument(
        "--size", nargs="*", default=[], metavar="KEY=VALUE", help="changes to the checkpoint's configuration"
    )
    parser.add_argument("--minutes", type=float, help="end after so many minutes, the rate falling to zero by then")
    parser.add_argument("--steps", type=int, help="end after so many steps")
    parser.add_argument("--teacher", type=Path, help="folder of a sentence encoder to learn from (answers)")
    parser.add_argument("--keep-float", action="store_true", help="also write OUT-float, in float32")
    parser.add_argument("--resume", action="store_true", help="go on from the last state in --work")
    parser.add_argument("--smoke", action="store_true", help="sizes a CPU runs in seconds")
    return parser


if __name__ == "__main__":
    main()
