"""The library's words in those of a shell: its messages tell the next step as a program takes it."""

from __future__ import annotations

import re
import shlex

from localreg.cli.place import named_registry

__all__ = ["for_shell"]

_STEPS = (
    (
        r"\b(pass|without) (exist_ok|force|offline|overwrite|replace|reset|strict)=True\b",
        lambda m: f"{m[1]} --{m[2].replace('_', '-')}",
    ),
    (r"\bpass resume=True to go on with it", "go on with it in Python"),
    (r"; registry\.experiment\(.*, resume=True\) goes on with it", ""),
    (r"\bseconds since 1970, an aware datetime, or None", "seconds since 1970"),
    (r"\bpass strict=False\b", "leave out --strict, or rank with --lenient"),
    (r"\bslices only if by= made some", "slices only if --by made some"),
    (r", and look at \.coverage for how many there are", ""),
    (r"\bpass evaluator=, too", "pass --evaluator, too"),
    (r"\bcompare\(…, evaluator=…\)", "--evaluator NAME"),
    (r"\bor compare registry\.at\(commit=(\d+)\)", r"or compare with --at \1"),
    (r"\bpass bootstrap=(\d+)", r"pass --bootstrap \1"),
    (r"\bscore_of='(\w+)'", r"--score-of \1"),
    (r"\bask for another one by fmr=", "ask for another one by --fmr"),
    (r"\bor say which by better=", "or say which by --better METRIC=lower"),
    (r"\bpositive= names another", "--positive names another"),
    (r"\bpositive=('[^']*')", r"--positive \1"),
    (r"\bsay which with better= when you compare", "say which by --better METRIC=lower"),
    (r"^better\[('[^']*')\] is", r"--better of \1 is"),
    (r"^better names\b", "--better names"),
    (r"^score_threshold and iou speak\b", "--score-threshold and --iou speak"),
    (r"^positive and score_of speak\b", "--positive and --score-of speak"),
    (
        r"^(bins|bootstrap|configuration|confidence|group_by|iou|positive|score_of|score_threshold) is\b",
        lambda m: f"--{m[1].replace('_', '-')} is",
    ),
    (r"^n is (\S+); write how many samples\b", r"--worst is \1; write how many samples"),
    (r"^n is (\S+); give the number of samples\b", r"--samples is \1; give the number of samples"),
    (r"^(batch_size|level|rtol|atol) is\b", lambda m: f"--{m[1].replace('_', '-')} is"),
    (r"^timeout_s is\b", "--timeout is"),
    (r"\bpass timeout_s=", "pass --timeout"),
    (r"; \.broken has what got worse", "; --broken lists what got worse"),
    (r"\bpass format=", "pass --format"),
    (r"\bpass on_(invalid|known|unknown)='(\w+)'", r"pass --on-\1 \2"),
    (r"\bcolumns= says\b", "--column FIELD=COLUMN says"),
    (r"\bcolumns names\b", "--column names"),
    (r"\bcolumns=\{'([^']+)': …\}", r"--column \1=…"),
    (r"\bcolumns=\{'([^']+)': '([^']+)'\}", r"--column \1=\2"),
    (r"\bpass workflow=", "pass --workflow"),
    (r"\bgive on= more fields\b", "give --on for more fields"),
    (r"\bleave out metadata=", "leave out --metadata"),
    (r"\bimport_coco_results\b", "`localreg coco results`"),
    (r"\bimport_coco\b", "`localreg coco import`"),
    (r"\blocalreg\.open\(\.\.\., offline=True\)", "--offline"),
    (r"\bopen it without read_only to make one", "make one with `localreg init`"),
    (r"\b(ask for|say) commit_mode='([\w-]+)'", r"\1 `localreg init --commit-mode \2`"),
    (r"\ban aware datetime, such as datetime\.now\(UTC\), or text such as\b", "a time such as"),
    (r"\ban aware datetime, or text such as\b", "or a time such as"),
    (r"\bsay time=", "say it as text, such as 2026-03-31T12:00:00Z"),
    (r"`registry\.resolve\(commit_id, commit=\d+\)`", "`localreg resolve COMMIT_ID`"),
    (r"`registry\.resolve`", "`localreg resolve`"),
    (r"`registry\.sql`", "`localreg sql`"),
    (r"\bcall registry\.snapshot\(\)", "run `localreg snapshot`"),
    (r"\bcall registry\.redact again, as it was called", "run `localreg redact` again, as it was run"),
    (r"\bregistry\.test_runs\(\) lists them", "`localreg runs list` lists them"),
    (r"; call evaluate\(\)", "; evaluate it in Python, with `localreg.workflow.test`"),
    (r"\bmake one with create_version\(\)", "make one with `localreg versions create`"),
    (r"\btake Model\.create\b", "take `localreg models create`"),
    (r"\bor create_version\(\)", "or `localreg versions create`"),
    (r"\buse update\(\) to change them", "`localreg models set` changes a model"),
    (r"\bmake one with registry\.compare\(…\)\.save\(\)", "save one in Python, where compare() gives it"),
    (r"\badd it to the namespace, model=None", "leave out --model"),
    (r"\bsay which by model=", "say which by --model"),
    (r"\(strict=True counts them\)", "(--strict counts them)"),
    (r"\bstorage_options (is|are|has)\b", r"--storage-option \1"),
    (r"\b(in|the same|correct the address or) storage_options\b", r"\1 --storage-option"),
)
"""What a message says, as a pattern, and what it says on the command line."""
_COMPILED = [(re.compile(pattern), step) for pattern, step in _STEPS]


_COMMAND = re.compile(r"`localreg (?=[a-z])(?!init\b)")


def for_shell(message: str) -> str:
    """A message, with the next step as a shell takes it, about the registry that --registry names."""
    for pattern, step in _COMPILED:
        message = pattern.sub(step, message)
    if named_registry:
        message = _COMMAND.sub(lambda _: f"`localreg -r {shlex.quote(named_registry[0])} ", message)
    return message
