"""Configuration, read once: flags over environment (HMT_QA_*) over `config.toml` in the home folder over defaults."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Literal

from platformdirs import user_data_path
from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from hmt_qa.errors import HmtQaError
from hmt_qa.types import OPENAI_URL, ParsingLimits
from hmt_ui.keys import with_password
from hmt_ui.service.limits import Limits

CONFIG_FILE = "config.toml"
_PASSWORD = re.compile(r"(?<=://)([^:/?#]*:).*@")


class Settings(BaseSettings):
    """Every setting of the product. `hmt-qa config show` prints them with their origin."""

    model_config = SettingsConfigDict(env_prefix="HMT_QA_", extra="forbid", frozen=True)

    home: Path = Field(description="the one data directory")
    database: str = Field(
        default="",
        repr=False,
        description="URL of the library where it is not in the home: postgresql+psycopg://user@host/name",
    )
    database_password_file: Path | None = Field(
        default=None, description="file that holds the password of `database` and nothing else: a container's secret"
    )
    model: Path | None = Field(default=None, description="folder of a checkpoint; the embedded hmt-small by default")
    device: str = Field(default="auto", description="auto, cpu, cuda or cuda:N")
    dtype: Literal["auto", "float32", "bfloat16"] = Field(default="auto", description="number format of the model")
    attention: Literal["auto", "sdpa", "eager", "flash_attention_2"] = Field(
        default="auto", description="attention back end"
    )
    host: str = Field(default="127.0.0.1", description="address that `serve` binds")
    port: int = Field(default=7860, ge=0, le=65535, description="port that `serve` binds")
    allow_unauthenticated: bool = Field(
        default=False, description="let `serve` bind another address than loopback without users (containers)"
    )

    allowed_hosts: tuple[str, ...] = Field(
        default=(), description="names, beside loopback's, that browsers may call the server by"
    )

    max_upload_mb: int = Field(default=200, ge=1, description="largest file that `serve` takes")
    max_waiting: int = Field(default=256, ge=1, description="questions, and files, that may wait in line at `serve`")
    max_question: int = Field(default=4_000, ge=1, description="characters that a question to `serve` may have")

    parser_memory_mb: int = Field(default=1024, ge=64, description="memory that parsing one document may take")
    parser_page_seconds: int = Field(
        default=60, ge=1, description="processor time that opening a document, or one of its pages, may take"
    )

    reader: str = Field(
        default="", description="who writes answers: hf:FOLDER, openai:MODEL; the memory's own model by default"
    )
    reader_url: str = Field(default=OPENAI_URL, description="address of the OpenAI-compatible endpoint")
    reader_context: int = Field(default=8_192, ge=512, description="tokens that the endpoint's model reads")
    reader_seconds: float = Field(default=60, gt=0, description="how long an endpoint's answer may take")

    @property
    def place(self) -> str:
        """Where the library is, for people: a password in its URL is left out."""
        return _PASSWORD.sub(r"\1***@", self.database) or str(self.home)

    @property
    def library_url(self) -> str:
        """`database` with the password of its file in it; raises `LibraryUnusable` where there is none to read."""
        if not self.database or self.database_password_file is None:
            return self.database
        return with_password(self.database, self.database_password_file)

    @property
    def limits(self) -> ParsingLimits:
        """What parsing a document may take."""
        usual = ParsingLimits()
        total = max(usual.total_seconds, self.parser_page_seconds)
        return ParsingLimits(
            memory_mb=self.parser_memory_mb, page_seconds=self.parser_page_seconds, total_seconds=total
        )

    @property
    def quotas(self) -> Limits:
        """What one request to `serve`, and all that wait, may take."""
        return Limits(upload_mb=self.max_upload_mb, waiting=self.max_waiting, question_characters=self.max_question)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, then environment, then the home's TOML file."""
        toml = TomlConfigSettingsSource(settings_cls, toml_file=_home(init_settings().get("home")) / CONFIG_FILE)
        return init_settings, env_settings, toml


_BEFORE: dict[str, Any] = {}


def before_the_command(**flags: Any) -> None:
    """Flags of the program itself: they hold for whatever its command loads, until this is called again."""
    _BEFORE.clear()
    _BEFORE.update(flags)


def load(**flags: Any) -> Settings:
    """Settings with `flags` (None means not given) on top; raises `HmtQaError` naming a wrong value and its source."""
    given = {name: value for name, value in (_BEFORE | flags).items() if value is not None}
    given["home"] = _home(given.get("home"))
    try:
        return Settings(**given)
    except ValidationError as exc:
        problem = exc.errors()[0]
        name = ".".join(map(str, problem["loc"])) or "settings"
        raise HmtQaError(
            f"The setting {name!r} is wrong: {problem['msg']}.",
            subject=problem.get("input"),
            remedy=f"Correct it in the flag, in HMT_QA_{name.upper()} or in {given['home'] / CONFIG_FILE}.",
        ) from exc
    except ValueError as exc:  # the TOML file itself
        raise HmtQaError(
            f"{given['home'] / CONFIG_FILE} is not valid TOML: {exc}.",
            subject=given["home"],
            remedy="Correct or remove the file.",
        ) from exc


def origins(settings: Settings, flags: dict[str, Any]) -> dict[str, str]:
    """Where each setting's value comes from: flag, environment, file or default."""
    toml = TomlConfigSettingsSource(Settings, toml_file=settings.home / CONFIG_FILE)()

    def origin(name: str) -> str:
        if (_BEFORE | flags).get(name) is not None:
            return "flag"
        if f"HMT_QA_{name.upper()}" in os.environ:
            return "environment"
        return CONFIG_FILE if name in toml else "default"

    return {name: origin(name) for name in Settings.model_fields}


def _home(given: Path | str | None) -> Path:
    home = given or os.environ.get("HMT_QA_HOME") or user_data_path("hmt-qa")
    return Path(home).expanduser().resolve()
