"""What the ready-made tasks on images share: test cases of images, models that infer lists, and their test runs."""

from __future__ import annotations
