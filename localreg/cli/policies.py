"""`localreg policies`: rules of models and namespaces, what they would do, and the actions that wait."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from localreg.cli import completion
from localreg.cli.listing import Columns, Limit, OrderBy, Search, Where, shown
from localreg.cli.output import Card, Listing, Rows
from localreg.cli.place import Account, examples, new_group, reading, writing
from localreg.names import amount

if TYPE_CHECKING:
    from localreg.policies import Rule
    from localreg.registry import Registry

__all__ = ["policies"]

USUAL = ("name", "kind", "model", "rule", "description")
WAITING = ("policy", "subject", "event", "run", "status", "attempts", "error")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the policy.", autocompletion=completion.policies)]
Model = Annotated[
    str | None,
    typer.Option("--model", metavar="MODEL", help="Else of all models.", autocompletion=completion.models),
]
Description = Annotated[str | None, typer.Option(metavar="TEXT", help="Free text.")]
Replace = Annotated[bool, typer.Option("--replace", help="Replace a policy of that name.")]
Mode = Annotated[str, typer.Option(metavar="max|min", help="Whether more or less of the metric is better.")]
CONDITION = "A condition, such as 'metrics.accuracy > 0.9'."

policies = new_group(
    "Policies: rules that every commit keeps to.",
    epilog=examples(
        "localreg policies gate quality --alias production --require 'metrics.accuracy > 0.9'",
        "localreg policies plan",
    ),
)


@policies.command("list", epilog=examples("localreg policies list", "localreg policies list --where \"kind = 'gate'\""))
@reading()
def list_policies(
    registry: "Registry",
    where: Where = None,
    search: Search = None,
    order_by: OrderBy = None,
    limit: Limit = None,
    columns: Columns = None,
) -> Listing:
    """List the policies, in order of declaration."""
    return shown(registry.policies(where, search=search, order_by=order_by or None, limit=limit), columns, USUAL)


@policies.command("show", epilog=examples("localreg policies show 'good ones'"))
@reading()
def show_policy(registry: "Registry", name: Name) -> Card:
    """Show a policy: what it says, and what it has done."""
    found = registry.get_policy(name)
    done = registry.sql(
        "SELECT commit, time, action, kind, name, details->>'reason' AS reason FROM audit_events "
        "WHERE details->>'policy' = ? ORDER BY commit, event",
        [found.name],
    )
    return Card(Rows.of(registry.policies(f"id = '{found.id}'")), more={"done": Rows.of(done)})


@policies.command(
    "retention", epilog=examples("localreg policies retention few --model meadow-5 --keep-last 5 --younger-than 30d")
)
@writing
def add_retention(
    registry: "Registry",
    name: Name,
    model: Model = None,
    keep_last: Annotated[int | None, typer.Option(metavar="N", help="Keep so many that were made last.")] = None,
    keep_best: Annotated[int | None, typer.Option(metavar="N", help="Keep so many with the best --metric.")] = None,
    metric: Annotated[str | None, typer.Option(metavar="NAME", help="A metric of versions or checkpoints.")] = None,
    mode: Mode = "max",
    younger_than: Annotated[str | None, typer.Option(metavar="AGE", help="Keep those younger: 30d, 12h, 2w.")] = None,
    keep_when: Annotated[
        str | None, typer.Option(metavar="EXPR", help=f"Keep those where it holds. {CONDITION}")
    ] = None,
    of: Annotated[str, typer.Option(metavar="versions|checkpoints", help="What is kept.")] = "versions",
    description: Description = None,
    replace: Replace = False,
) -> str:
    """Keep what fits one of these; delete the others, but for what something depends on.

    It deletes nothing now: see policies plan first.
    """
    from localreg.policies import Retention

    rule = Retention(
        keep_last=keep_last,
        keep_best=keep_best,
        metric=metric,
        mode=mode,  # type: ignore[arg-type]
        younger_than=younger_than,
        keep_when=keep_when,
        of=of,  # type: ignore[arg-type]
    )
    return _added(registry, name, rule, model=model, description=description, replace=replace)


@policies.command(
    "label", epilog=examples("localreg policies label better --when 'metrics.accuracy > 0.95' --tag better")
)
@writing
def add_label(
    registry: "Registry",
    name: Name,
    when: Annotated[str, typer.Option(metavar="EXPR", help=CONDITION)],
    model: Model = None,
    tag: Annotated[str | None, typer.Option(metavar="TAG", help="Of the version.")] = None,
    alias: Annotated[str | None, typer.Option(metavar="ALIAS", help="To the newest version that fits.")] = None,
    description: Description = None,
    replace: Replace = False,
) -> str:
    """Give a tag or an alias to versions when a condition holds of them."""
    from localreg.policies import Label

    rule = Label(when=when, tag=tag, alias=alias)
    return _added(registry, name, rule, model=model, description=description, replace=replace)


@policies.command(
    "promotion",
    epilog=examples("localreg policies promotion best --model meadow-5 --experiment 'lr 0.1' --best accuracy"),
)
@writing
def add_promotion(
    registry: "Registry",
    name: Name,
    model: Model = None,
    experiment: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Else of any experiment.", autocompletion=completion.experiments),
    ] = None,
    best: Annotated[str | None, typer.Option(metavar="METRIC", help="The best so far by it.")] = None,
    mode: Mode = "max",
    when: Annotated[str | None, typer.Option(metavar="EXPR", help="A condition over checkpoints.")] = None,
    version: Annotated[
        str | None, typer.Option(metavar="PATTERN", help="Such as '{experiment}-{step}'; else the next number.")
    ] = None,
    alias: Annotated[str | None, typer.Option(metavar="ALIAS", help="Moved to it, if gates let it pass.")] = None,
    description: Description = None,
    replace: Replace = False,
) -> str:
    """Make versions of checkpoints: of the best so far, or when a condition holds."""
    from localreg.policies import Promotion

    rule = Promotion(
        experiment=experiment,
        best=best,
        mode=mode,  # type: ignore[arg-type]
        when=when,
        version=version,
        alias=alias,
    )
    return _added(registry, name, rule, model=model, description=description, replace=replace)


@policies.command(
    "gate",
    epilog=examples(
        "localreg policies gate quality --alias staging --require 'metrics.accuracy > 0.9' "
        "--require \"'weights' IN artifacts\"",
        "localreg policies gate 'no worse' --model meadow-5 --alias staging --no-regression --suite plates",
    ),
)
@writing
def add_gate(
    registry: "Registry",
    name: Name,
    alias: Annotated[str, typer.Option(metavar="ALIAS", help="Such as production.")],
    model: Model = None,
    require: Annotated[list[str] | None, typer.Option(metavar="EXPR", help=f"{CONDITION} Repeatable.")] = None,
    no_regression: Annotated[
        bool,
        typer.Option("--no-regression", help="Ask for a saved comparison with the version that has the alias."),
    ] = False,
    suite: Annotated[
        str | None,
        typer.Option(metavar="SUITE", help="Which it must be on.", autocompletion=completion.suites),
    ] = None,
    description: Description = None,
    replace: Replace = False,
) -> str:
    """Let an alias move only to versions of which all criteria hold."""
    from localreg.policies import AliasGate

    if suite is not None and not no_regression:
        raise typer.BadParameter("it is of --no-regression; give both", param_hint="--suite")
    rule = AliasGate(
        alias=alias, require=tuple(require or ()), no_regression=suite if suite is not None else no_regression
    )
    return _added(registry, name, rule, model=model, description=description, replace=replace)


@policies.command(
    "action", epilog=examples("localreg policies action onnx --run converters:to_onnx --on set_alias:production")
)
@writing
def add_action(
    registry: "Registry",
    name: Name,
    run: Annotated[str, typer.Option(metavar="MODULE:FUNCTION", help="What is called by policies run.")],
    on: Annotated[str, typer.Option(metavar="EVENT", help="Such as promote, set_alias:production or event:NAME.")],
    model: Model = None,
    when: Annotated[str | None, typer.Option(metavar="EXPR", help=CONDITION)] = None,
    attempts: Annotated[int, typer.Option(metavar="N", help="How often it is tried.")] = 3,
    description: Description = None,
    replace: Replace = False,
) -> str:
    """Have a function called when an event comes; what it gives becomes artifacts."""
    from localreg.policies import Action

    rule = Action(run=run, on=on, when=when, attempts=attempts)
    return _added(registry, name, rule, model=model, description=description, replace=replace)


@policies.command("delete", epilog=examples("localreg policies delete 'good ones'"))
@writing
def delete_policy(registry: "Registry", name: Name) -> str:
    """Take a policy back; what it did stays."""
    registry.get_policy(name).delete()
    return f"deleted policy {name!r}"


@policies.command("apply", epilog=examples("localreg policies apply"))
@writing
def apply_policies(registry: "Registry") -> str:
    """Keep to all policies now, in one commit, whether something was touched or not."""
    done = [row for row in registry.apply_policies() if row["effect"] is not None and row["kind"] != "gate"]
    lines = [f"{row['subject']}: {row['effect']} ({row['policy']}: {row['reason']})" for row in done]
    return Account("\n".join([*lines, f"{amount(len(done), 'effect')} of policies"]))


@policies.command("plan", epilog=examples("localreg policies plan", "localreg policies plan --all --format json"))
@reading()
def plan_policies(
    registry: "Registry",
    all: Annotated[bool, typer.Option("--all", help="Also of what nothing would become, and why.")] = False,
) -> Rows:
    """Show what policies apply would do, and why; of gates, whether the newest version would be refused."""
    plan = registry.apply_policies(dry_run=True)
    return Rows(plan.columns, [list(row.values()) for row in plan if all or row["effect"] is not None])


@policies.command("actions", epilog=examples("localreg policies actions --where \"status = 'failed'\""))
@reading()
def list_actions(
    registry: "Registry",
    where: Where = None,
    search: Search = None,
    order_by: OrderBy = None,
    limit: Limit = None,
    columns: Columns = None,
) -> Listing:
    """List the actions that events asked for, and what became of them."""
    found = registry.pending_actions(where, search=search, order_by=order_by or None, limit=limit)
    return shown(found, columns, WAITING)


@policies.command("run", epilog=examples("localreg policies run"))
@writing
def run_pending(registry: "Registry") -> str:
    """Call the functions of pending actions, in this process; modules are looked for in the current folder, too."""
    import sys

    if "" not in sys.path:
        sys.path.insert(0, "")
    waiting = len(registry.pending_actions("status IN ('pending', 'running')"))
    return Account(f"finished {len(registry.run_pending())} of {amount(waiting, 'action')}")


def _added(registry: "Registry", name: str, rule: "Rule", **said: Any) -> str:
    policy = registry.add_policy(name, rule, **said)
    of = "all models" if policy.model is None else f"model {policy.model.name!r}"
    return f"added {policy.kind} policy {policy.name!r} of {of}"
