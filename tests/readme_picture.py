"""Makes `docs/comparison.png`, which the README shows: the top of the page that `examples/report.py` writes.

python -m tests.readme_picture
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from playwright.sync_api import sync_playwright

__all__ = ["PICTURE"]

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "comparison.png"
WIDTH, HEIGHT = 960, 1120


def main() -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with TemporaryDirectory() as folder:
        example = [sys.executable, str(ROOT / "examples" / "report.py"), folder]
        subprocess.run(example, check=True, cwd=ROOT, env={"PYTHONPATH": str(ROOT)})
        with sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            page.goto((Path(folder) / "report.html").as_uri())
            page.evaluate("document.querySelectorAll('details').forEach(each => each.open = false)")
            taken = page.screenshot()
            browser.close()
    PICTURE.parent.mkdir(exist_ok=True)
    Image.open(BytesIO(taken)).convert("RGB").save(PICTURE, optimize=True)
    print(f"{PICTURE}: {PICTURE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
