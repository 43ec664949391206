"""Questions about records and events: the same of one namespace and of all, each answered by one query."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from localreg.handles.history import told_in_words
from localreg.handles.words import check_kind
from localreg.names import check_flag, check_text, check_whole
from localreg.times import utc

if TYPE_CHECKING:
    from localreg.query import Engine, ListingPage, Result

__all__ = ["Listings"]

_MOMENT_HINT = "write a commit's number, an aware datetime, or text such as 2026-03-31T12:00:00+00:00"


class Listings:
    """What can be asked of a registry. All listings take the same arguments; see `models`."""

    def models(
        self,
        where: str | None = None,
        *,
        search: str | None = None,
        order_by: str | Sequence[str] | None = None,
        limit: int | None = None,
        archived: bool | None = False,
    ) -> Result:
        """The models that fit, in order of creation.

        Args:
            where: a DuckDB boolean expression over the columns of `models`, with paths into metadata:
                `"metadata.framework = 'pytorch' AND metadata.optim.lr < 0.1 AND 'detector' IN tags"`. A path takes the
                type of what it is compared with; what is missing or of another type is NULL, never an error. A key that
                is no plain word stands in brackets and single quotes, `metadata['a.b']['it''s']`, or in double quotes,
                `metadata."a.b"`.
            search: words that must all occur in name, description, tags or metadata (keys and values), in any case,
                with or without accents, and within longer words; `"in quotes"` is a phrase, `-word` must not occur.
            order_by: columns or metadata paths, each with ASC or DESC.
            limit: at most so many rows.
            archived: True for the archived ones alone, None for both. Archived ones are hidden by default, whatever
                `where` says.

        Raises:
            InvalidInputError: the expression does not parse, or names an unknown column.
        """
        return self._listed("models", where, search, order_by, limit, archived)

    def model_versions(
        self,
        where: str | None = None,
        *,
        search: str | None = None,
        order_by: str | Sequence[str] | None = None,
        limit: int | None = None,
    ) -> Result:
        """The versions of all models; their metadata is the model's, overlaid by their own. Arguments as in `models`.

        `search` looks in model, version, description, tags and metadata. Numbers that were said of versions and models
        are paths into `metrics`: `"metrics.accuracy > 0.9"`.
        """
        return self._listed("model_versions", where, search, order_by, limit)

    def definitions(
        self,
        where: str | None = None,
        *,
        search: str | None = None,
        order_by: str | Sequence[str] | None = None,
        limit: int | None = None,
    ) -> Result:
        """What versions are made of and how they are run, as it was registered. Arguments as in `models`.

        `version` is null for the entry that stands for all models. `search` looks in name, files, repository, runtime.
        """
        return self._listed("definitions", where, search, order_by, limit)

    def model_metrics(
        self, where: str | None = None, *, order_by: str | Sequence[str] | None = None, limit: int | None = None
    ) -> Result:
        """The numbers that were said of models and versions, a row each. Arguments as in `models`.

        `version` is null where it was said of the model; `dataset` and `test_suite`, where it is of none. `value` is
        null where it was not a number.
        """
        return self._listed("model_metrics", where, None, order_by, limit)

    def workflows(
        self,
        where: str | None = None,
        *,
        search: str | None = None,
        order_by: str | Sequence[str] | None = None,
        limit: int | None = None,
    ) -> Result:
        """The workflows, with the schemas of their types. Arguments as in `models`; `search` looks in the name."""
        return self._listed("workflows", where, search, order_by, limit)

    def test_cases(
        self,
        where: str | None = None,
        *,
        search: str | None = None,
        order_by: str | Sequence[str] | None = None,
        limit: int | None = None,
        archived: bool | None = False,
    ) -> Result:
        """The test cases at their newest version. Arguments as in `models`; `search` looks in name and description."""
        return self._listed("test_cases", where, search, order_by, limit, archived)

    def test_suites(
        self,
        where: str | None = None,
        *,
        search: str | None = None,
        order_by: str | Sequence[str] | None = None,
        limit: int | None = None,
        archived: bool | None = False,
    ) -> Result:
        """The test suites at their newest version. Arguments as in `models`.

        `search` looks in name, description and tags.
        """
        return self._listed("test_suites", where, search, order_by, limit, archived)

    def test_runs(
        self,
        where: str | None = None,
        *,
        search: str | None = None,
        order_by: str | Sequence[str] | None = None,
        limit: int | None = None,
    ) -> Result:
        """The test runs. Arguments as in `models`.

        `search` looks in model, version, test suite, evaluator and fingerprint.
        """
        return self._listed("test_runs", where, search, order_by, limit)

    def comparisons(
        self,
        where: str | None = None,
        *,
        search: str | None = None,
        order_by: str | Sequence[str] | None = None,
        limit: int | None = None,
    ) -> Result:
        """The comparisons that were saved. Arguments as in `models`; `search` looks in the name.

        `difference`, `p` and `verdict` are those of the first metric and the first candidate over the whole suite.
        """
        return self._listed("comparisons", where, search, order_by, limit)

    def experiments(
        self,
        where: str | None = None,
        *,
        search: str | None = None,
        order_by: str | Sequence[str] | None = None,
        limit: int | None = None,
        archived: bool | None = False,
    ) -> Result:
        """The experiments. Arguments as in `models`, paths into `params`, too: `"params.lr < 0.1"`.

        `search` looks in name, description, tags, params and metadata. `status` is what was last committed: of a
        process that is gone it is `running` until somebody recovers or resumes it.
        """
        return self._listed("experiments", where, search, order_by, limit, archived)

    def checkpoints(
        self,
        where: str | None = None,
        *,
        search: str | None = None,
        order_by: str | Sequence[str] | None = None,
        limit: int | None = None,
    ) -> Result:
        """The checkpoints of all experiments, and the versions made of them. Arguments as in `models`.

        `search` looks in name and metadata.
        """
        return self._listed("checkpoints", where, search, order_by, limit)

    def artifacts(
        self,
        where: str | None = None,
        *,
        search: str | None = None,
        order_by: str | Sequence[str] | None = None,
        limit: int | None = None,
    ) -> Result:
        """The artifacts of models, versions, experiments and checkpoints. Arguments as in `models`.

        `search` looks in name, uri and metadata.
        """
        return self._listed("artifacts", where, search, order_by, limit)

    def policies(
        self,
        where: str | None = None,
        *,
        search: str | None = None,
        order_by: str | Sequence[str] | None = None,
        limit: int | None = None,
    ) -> Result:
        """The policies of models and of the namespace (`model` is null). Arguments as in `models`.

        `search` looks in name, description and rule.
        """
        return self._listed("policies", where, search, order_by, limit)

    def pending_actions(
        self,
        where: str | None = None,
        *,
        search: str | None = None,
        order_by: str | Sequence[str] | None = None,
        limit: int | None = None,
    ) -> Result:
        """What action policies asked to be called, by `status`: pending, running, finished, failed. As in `models`.

        `search` looks in policy, run and event.
        """
        return self._listed("pending_actions", where, search, order_by, limit)

    def datasets(
        self,
        where: str | None = None,
        *,
        search: str | None = None,
        order_by: str | Sequence[str] | None = None,
        limit: int | None = None,
    ) -> Result:
        """The data sets of models, versions and experiments, each with whose it is. Arguments as in `models`.

        `search` looks in name, artifact, uri, description and metadata. What belongs to a model stands here once;
        `version.datasets()` has what holds for one version.
        """
        return self._listed("datasets", where, search, order_by, limit)

    def events(
        self,
        where: str | None = None,
        *,
        order_by: str | Sequence[str] | None = None,
        limit: int | None = None,
    ) -> Result:
        """The events that programs reported of models, versions, experiments and checkpoints, by wall clock.

        Arguments as in `models`: `"owner = 'sgd' AND metadata.epoch > 3"`. What a running experiment reported comes
        with its end; `experiment.events()` shows it before.
        """
        return self._listed("events", where, None, order_by, limit)

    def grants(
        self,
        where: str | None = None,
        *,
        search: str | None = None,
        order_by: str | Sequence[str] | None = None,
        limit: int | None = None,
    ) -> Result:
        """The roles of principals; none = open to all. Arguments as in `models`.

        `search` looks in principal and role.
        """
        return self._listed("grants", where, search, order_by, limit)

    def signers(
        self,
        where: str | None = None,
        *,
        search: str | None = None,
        order_by: str | Sequence[str] | None = None,
        limit: int | None = None,
    ) -> Result:
        """Whose signatures count; none = nothing need be signed. Arguments as in `models`.

        `search` looks in name and key.
        """
        return self._listed("signers", where, search, order_by, limit)

    def facets(
        self,
        table: str,
        by: str,
        *,
        where: str | None = None,
        search: str | None = None,
        limit: int | None = None,
        archived: bool | None = None,
    ) -> Result:
        """Which values there are, and how many rows have each: columns `value` and `count`, the most frequent first.

        Args:
            table: any documented table, such as `models` or `inferences`.
            by: a column or a path into JSON, such as `tags` or `metadata.framework`, or an expression over them. Of a
                list, each distinct item counts once a row. NULL stands for rows without a value: missing, JSON null, or
                an empty list.
            where: count only these rows; see `models`.
            search: count only these rows; see `models`.
            limit: at most so many values.
            archived: True to count archived records alone, False to leave them out, None for both; for tables that
                have the column.

        Raises:
            InvalidInputError: no such table or column, or an expression that does not parse.
        """
        return self._asked().facets(table, by=by, where=where, search=search, archived=archived, limit=limit)

    def page(
        self,
        table: str,
        where: str | None = None,
        *,
        search: str | None = None,
        order_by: str | Sequence[str] | None = None,
        limit: int | None = 50,
        offset: int = 0,
        archived: bool | None = None,
        facets: str | Sequence[str] = (),
        most: int | None = 10,
    ) -> ListingPage:
        """One page of a listing, with the number of all rows that fit and their facets: what a table on a screen shows.

        All of one commit, and looked up now. Rows, order and facets are those that the listings and `facets` give, in
        a fraction of the time from the second question on: the rows of the table stay in memory (50 MB for 100,000
        models) until what they show changes or the registry is closed. Tables of more than 300,000 rows are asked as
        listings ask them, and so are those whose rows stand in files, such as `events`.

        Args:
            table: any documented table that has a listing, such as `models`.
            where: see `models`.
            search: see `models`.
            order_by: see `models`.
            limit: at most so many rows; None = all.
            offset: how many of the rows that fit are passed over first. Beyond the end there are no rows.
            archived: True for archived records alone, False to leave them out, None for both; for tables that have the
                column.
            facets: what the rows that fit are counted by, each as `by` of `facets`: `["tags", "metadata.framework"]`.
            most: at most so many values of each facet; None = all.

        Raises:
            InvalidInputError: no such table or column, a table without a listing, or an expression that does not parse.
        """
        return self._asked().page(
            table,
            where=where,
            search=search,
            order_by=order_by,
            limit=limit,
            offset=offset,
            archived=archived,
            facets=facets,
            most=most,
        )

    def sql(self, query: str, parameters: Sequence[object] = (), *, timeout_s: float | None = None) -> Result:
        """The rows of one SELECT over the documented tables, in DuckDB's SQL; it can only read, and only this registry.

        Args:
            query: the SELECT.
            parameters: a value for each `?`.
            timeout_s: seconds that it may take, when it is looked at; None = no end.

        Raises:
            InvalidInputError: anything but one SELECT, an unknown table or column, a file outside the registry; or
                (code `timeout`) it took longer.
        """
        return self._asked().sql(query, parameters, timeout_s=timeout_s)

    def audit(
        self,
        where: str | None = None,
        *,
        kind: str | None = None,
        name: str | None = None,
        actor: str | None = None,
        since: int | datetime | str | None = None,
        until: int | datetime | str | None = None,
        search: str | None = None,
        order_by: str | Sequence[str] | None = None,
        limit: int | None = None,
        in_words: bool = False,
    ) -> Result:
        """Who did what: the rows of `audit_events`, in order of commit. Arguments as in `models`, and some for short.

        Args:
            where: see `models`: `"action = 'set_alias' AND details.version = '2'"`.
            kind: only events on this kind of record, such as `model`.
            name: only events on records that had this name at that moment.
            actor: only what this actor did.
            since: only commits after this number, or events at or after this time.
            until: only commits up to this number, or events up to this time.
            search: see `models`; it looks in name, parent's name, message, actor, host, action, kind and details.
            order_by: see `models`; the last ones first: `["commit DESC", "event DESC"]`.
            limit: at most so many rows.
            in_words: with two columns more: `subject`, the record with whose it is, as `version 'm@2'`; and `changes`,
                what the event changed, as in `Model.history`.

        Raises:
            InvalidInputError: a kind that there is not, a name or actor that is no text, a `since` or `until` that is
                neither a number nor a time, or an expression that does not parse.
        """
        from localreg.query.quoting import literal  # with its package comes the engine: not before a query does

        asked = self._asked()
        if kind is not None:
            check_kind(check_text(kind, what="kind"), lambda: [source.state for source in asked.sources])
        conditions = [
            f"{column} = {literal(check_text(wanted, what=column))}"
            for column, wanted in (("kind", kind), ("name", name), ("actor", actor))
            if wanted is not None
        ]
        conditions += _bound(since, "since", ">=", ">") + _bound(until, "until", "<=", "<=")
        if where is not None:
            conditions.append(f"({check_text(where, what='where')})")
        found = asked.select(
            "audit_events",
            where=" AND ".join(conditions) or None,
            search=search,
            order_by=order_by,
            limit=limit,
        )
        if not check_flag(in_words, what="in_words"):
            return found
        return told_in_words(found, {source.namespace: source.state.outline for source in asked.sources})

    def _asked(self) -> Engine:
        """What answers."""
        raise NotImplementedError

    def _listed(
        self,
        table: str,
        where: str | None,
        search: str | None,
        order_by: str | Sequence[str] | None,
        limit: int | None,
        archived: bool | None = None,
    ) -> Result:
        return self._asked().select(
            table, where=where, search=search, order_by=order_by, limit=limit, archived=archived
        )


def _bound(moment: int | datetime | str | None, what: str, of_time: str, of_commit: str) -> list[str]:
    """The condition that a commit's number or a time stands for; none if it was not given."""
    if moment is None:
        return []
    if isinstance(moment, str | datetime):
        from localreg.query.quoting import literal

        return [f"time {of_time} CAST({literal(utc(moment, what=what))} AS TIMESTAMPTZ)"]
    return [f"commit {of_commit} {check_whole(moment, what=what, hint=_MOMENT_HINT)}"]
