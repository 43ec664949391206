"""Rows in bulk: samples with ground truths, and inferences, from tables of any kind, without a Python object each.

| looked for | found in |
|---|---|
| what a table may be; files | `source.py`; `files.py` |
| which column stands for which field | `columns.py` |
| columns as rows of a part | `rows.py`, and `localreg.tables.fitting` |
| what is text in a file; metadata | `texts.py`; `json_text.py` |
| what a row says without a value | `statuses.py` |
| whose row it is | `sample_keys.py`, `keys.py` |
| what was left out, and why | `report.py` |
| samples on their way; inferences on theirs | `add.py`; `record.py`, `staged.py` |
"""
