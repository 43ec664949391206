"""Makes `docs/page-*.png`, which the README shows: the page on the registries of three examples.

python -m tests.page_pictures
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

import localreg
from tests.unit.test_ui_serving import served

__all__ = ["PICTURES"]

ROOT = Path(__file__).parents[1]
PICTURES = {
    "models": "/?q=scikit&sort=name",
    "compare": "/compare?model=logistic&model=svc&suite=digits",
    "sample": "/compare/sample?model=otsu&model=otsu-cleaned&suite=coins&outcome=fixed&n=2",
}
"""Address of each, by its name in `docs`."""
SAID: dict[str, dict[str, Any]] = {
    "logistic": {"framework": "scikit-learn", "estimator": "LogisticRegression", "dataset": "digits", "seed": 0},
    "svc": {"framework": "scikit-learn", "estimator": "SVC", "dataset": "digits", "hyperparameters": {"gamma": 0.001}},
    "otsu": {"framework": "scikit-image", "dataset": "coins"},
    "otsu-cleaned": {"framework": "scikit-image", "dataset": "coins", "least_area": 300},
    "digit-reader": {"framework": "scikit-learn", "estimator": "SGDClassifier", "dataset": "digits"},
}
WIDTH, HEIGHT = 1200, 760
COLORS = 128
"""A picture of few colours is a third of the size."""


def main() -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with TemporaryDirectory() as above:
        folder = str(Path(above) / "demo")
        # `report.py` keeps its registry in a folder of its own; the others join it there.
        registry = Path(folder) / "registry"
        for example, place in (("report", folder), ("detection", registry), ("train_and_promote", registry)):
            command = [sys.executable, str(ROOT / "examples" / f"{example}.py"), str(place)]
            subprocess.run(command, check=True, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL)
        say(localreg.open(registry, actor="ana"))
        with served(str(registry), "--port", "0", "--files", folder) as (address, _), sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            for name, path in PICTURES.items():
                page.goto(address.rstrip("/") + path)
                page.wait_for_load_state("networkidle")
                keep(page.screenshot(clip=shown(page)), ROOT / "docs" / f"page-{name}.png")
            browser.close()


def shown(page: Any) -> Any:
    """The page without its foot, which tells where the registry lies."""
    foot = page.locator("body > footer").bounding_box()
    return {"x": 0, "y": 0, "width": WIDTH, "height": min(HEIGHT, foot["y"])}


def say(registry: localreg.Registry) -> None:
    """What people would say of the models."""
    for name, metadata in SAID.items():
        model = registry.get_model(name)
        model.update(metadata=metadata, tags={metadata["dataset"]}, owner="ana" if "otsu" in name else "ben")
    registry.get_model("svc").set_alias("production", "1")


def keep(taken: bytes, path: Path) -> None:
    """Write a screenshot with few colours."""
    Image.open(BytesIO(taken)).convert("RGB").quantize(COLORS).save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
