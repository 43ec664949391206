"""The page: `localreg ui` shows a registry in a browser, and edits what people edit there.

A face over the public API, with no logic of its own. Pages are rendered here (`templates/`, and `compare/report` for
comparisons), so that they work without scripts; `static/page.js` only spares waiting. Each address holds its whole
view.
"""
