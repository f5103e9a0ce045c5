"""What importing costs and where packages stand; each import in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "transformers", "gradio", "faiss", "ray", "langchain_core", "triton", "pandas")
CONTAINERS = ("ingest", "storage", "ui", "kernels")


def run(code: str, *, timeout: int = 120) -> str:
    """What a fresh interpreter prints, started where the containers' folders are in sight."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=timeout,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.mark.parametrize("module", ["hmt_qa", "hmt_qa.app", "hmt_qa.retrieval", "hmt_ui.cli"])
def test_importing_loads_nothing_heavy(module):
    loaded = json.loads(run(f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"))
    assert module in loaded
    assert not set(HEAVY) & set(loaded)


def test_the_facade_is_reached_from_the_packages_front_door():
    assert run("from hmt_qa import DocumentQA; print(DocumentQA.__module__)").strip() == "hmt_qa.app"


def test_a_name_the_package_does_not_have_is_an_attribute_error():
    import hmt_qa

    with pytest.raises(AttributeError, match="no attribute 'whale'"):
        _ = hmt_qa.whale


def test_the_commands_help_is_shown_without_loading_anything_heavy():
    code = f"""
import sys
from hmt_ui.cli import main
sys.argv = ["hmt-qa", "--help"]
try:
    main()
except SystemExit as done:
    print("exit", done.code, sorted(set({HEAVY!r}) & set(sys.modules)))
"""
    shown = run(code)
    assert "ingest" in shown
    assert "ask" in shown
    assert shown.rstrip().endswith("exit 0 []")


def test_the_installed_command_shows_its_help():
    command = Path(sys.executable).with_name("hmt-qa")
    ran = subprocess.run([command, "--help"], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "ingest" in ran.stdout


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_container_folder_is_no_package_itself(container):
    assert (ROOT / container).is_dir()
    assert not (ROOT / container / "__init__.py").exists()
    assert (ROOT / container / f"hmt_{container}" / "__init__.py").exists()


@pytest.mark.parametrize("package", ["hmt_qa", *(f"{container}/hmt_{container}" for container in CONTAINERS)])
def test_every_package_says_that_it_is_typed(package):
    assert (ROOT / package / "py.typed").exists()


def test_a_package_named_kernels_is_found_past_the_projects_folder_of_that_name(tmp_path):
    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels" / "__init__.py").write_text("mark = 'hugging face'\n")
    code = f"import sys, hmt_qa, hmt_kernels; sys.path.append({str(tmp_path)!r}); import kernels; print(kernels.mark)"
    assert run(code).strip() == "hugging face"


def test_transformers_builds_models_with_the_project_on_the_path():
    code = """
import hmt_qa.app, hmt_kernels.dispatch
from transformers import AutoModelForCausalLM, LlamaConfig
config = LlamaConfig(vocab_size=8, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1)
print(type(AutoModelForCausalLM.from_config(config)).__name__)
"""
    assert run(code).strip() == "LlamaForCausalLM"
