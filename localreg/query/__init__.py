"""DuckDB over one snapshot: documented tables, the rewriting of expressions, the read-only guard."""

from localreg.query.database import Databases
from localreg.query.engine import Engine
from localreg.query.page import ListingPage
from localreg.query.result import Result
from localreg.query.source import Source
from localreg.query.tables import INTERNAL

__all__ = ["INTERNAL", "Databases", "Engine", "ListingPage", "Result", "Source"]
