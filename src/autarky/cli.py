"""The command line: parses, calls, prints; no arithmetic.

Data goes to standard output, all else to standard error.  Exit 0; 1 = no data matched; 2 = bad input or usage.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from autarky import __version__
from autarky.errors import AutarkyError, MeasureError, NoDataError

if TYPE_CHECKING:
    import pandas as pd

FORMATS = ("table", "csv", "json", "parquet")
LISTED = ("indicators", "sources", "watchlists", "screens", "studies")
TABLE_ROWS = 200


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = _parser()
    args, rest = parser.parse_known_args(argv)
    if rest and args.command != "run":
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    args.rest = rest
    warnings.showwarning = lambda message, *_args, **_kwargs: _say(f"warning: {message}")
    try:
        code: int = args.call(args)
        return code
    except NoDataError as error:
        return _failed(error, args.debug, 1)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            # The reader of our output has seen enough (`autarky … | head`).
            sys.stderr.close()
            return 0
        return _failed(AutarkyError(f"{error.filename or 'output'}: {error.strerror}"), args.debug, 2)
    except AutarkyError as error:
        return _failed(error, args.debug, 2)
    except KeyboardInterrupt:
        _say("interrupted; nothing was committed")
        return 130


def _failed(error: AutarkyError, debug: bool, code: int) -> int:
    if debug:
        raise error
    _say(f"error: {error}")
    return code


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="autarky", description="Measures trade dependence, choke points and self-reliance from customs data."
    )
    parser.add_argument("--version", action="version", version=f"autarky {__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_ingest(commands)
    _add_coverage(commands)
    _add_measure(commands)
    _add_run(commands)
    _add_lists(commands)
    demo = commands.add_parser("demo", help="the whole job on synthetic data: panel, store, study, report")
    demo.add_argument("--out", default="autarky-demo", metavar="DIR", help="where to put it (default: autarky-demo)")
    demo.set_defaults(call=_demo)
    return parser


def _command(
    commands: Any, name: str, call: Callable[[argparse.Namespace], int], summary: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=summary, description=summary)
    parser.set_defaults(call=call)
    return parser


def _add_ingest(commands: Any) -> None:
    parser = _command(commands, "ingest", _ingest, "read files of a source into the store, as one new version")
    parser.add_argument("source", metavar="SOURCE", help="gacc, comtrade, baci or tidy; see `autarky list sources`")
    parser.add_argument("paths", metavar="PATH", nargs="+", help="files, or directories of files")
    parser.add_argument("--store", required=True, metavar="DIR", help="the store; made if it is not there")
    parser.add_argument(
        "--map", nargs="+", action="extend", default=[], metavar="F=C", help="field F is in the file's column C"
    )
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="F=V", help="field F is V in every row"
    )
    parser.add_argument("--rates", metavar="FILE", help="months and CNY per USD, for values in yuan")
    parser.add_argument(
        "--conflict",
        choices=("error", "largest"),
        default="error",
        help="what to do with rows that give one key different values (default: error)",
    )


def _add_coverage(commands: Any) -> None:
    parser = _command(
        commands, "coverage", _coverage, "what the store holds: source, code system, reporters, periods, rows, value"
    )
    parser.add_argument("--store", required=True, metavar="DIR")
    _output(parser)
    parser = _command(commands, "log", _log, "the versions of the store and what each added")
    parser.add_argument("--store", required=True, metavar="DIR")
    _output(parser)


def _add_measure(commands: Any) -> None:
    parser = _command(commands, "measure", _measure, "measure indicators of every group of flows")
    parser.add_argument(
        "indicators", metavar="IND[,IND…]", help="see `autarky list indicators`; options as in growth:base=first-year"
    )
    parser.add_argument("--store", required=True, metavar="DIR")
    parser.add_argument(
        "--by",
        required=True,
        metavar="F[,F…]",
        help="keys of a group: a column of flows, or year, level, hs2, hs4, hs6",
    )
    parser.add_argument("--over", metavar="F", help="the dimension to look along (default: the indicator's own)")
    parser.add_argument("--source", metavar="S", help="only this source")
    parser.add_argument(
        "--where", nargs="+", action="extend", default=[], metavar="F=V[,V…]", help="only these rows; F!=V excludes"
    )
    parser.add_argument("--since", metavar="P", help="first period, as 2015 or 2015-03")
    parser.add_argument("--until", metavar="P", help="last period, inclusive")
    parser.add_argument("--as-of", type=int, metavar="N", help="read version N of the store")
    parser.add_argument(
        "--absent",
        choices=("absent", "zero"),
        default="absent",
        help="what a missing row is: absent (default), or a zero",
    )
    _output(parser)


def _add_run(commands: Any) -> None:
    parser = _command(commands, "run", _run, "run a study and write its report, tables and figures")
    parser.add_argument("study", metavar="STUDY", help="see `autarky list studies`")
    parser.add_argument("--store", required=True, metavar="DIR")
    parser.add_argument("--out", required=True, metavar="DIR", help="where to write the report and its data")
    parser.add_argument("--since", metavar="P")
    parser.add_argument("--until", metavar="P")
    parser.add_argument("--as-of", type=int, metavar="N", help="read version N of the store")
    parser.epilog = "A study's own options (--reporter, --partner, --watchlist, …) are shown by `autarky list studies`."


def _add_lists(commands: Any) -> None:
    parser = _command(commands, "watchlist", _watchlist, "show a watch list")
    parser.add_argument("action", choices=("show",))
    parser.add_argument("id", metavar="ID", help="see `autarky list watchlists`; or a YAML file of your own")
    _output(parser)
    parser = _command(commands, "list", _list, "what there is: indicators, sources, watchlists, screens, studies")
    parser.add_argument("what", choices=LISTED)


def _output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=FORMATS, help="default: table on a terminal, else csv")
    parser.add_argument("-o", "--output", metavar="FILE", help="write to FILE instead of standard output")


def _ingest(args: argparse.Namespace) -> int:
    from pathlib import Path

    from autarky import commit, reader

    options = reader.Options(
        dict(_pair(t, "--map", "FIELD=COLUMN") for t in args.map),
        dict(_pair(t, "--set", "FIELD=VALUE") for t in args.set),
        Path(args.rates) if args.rates else None,
        args.conflict,
    )
    with _progress() as progress:
        done = commit.ingest(
            args.store,
            args.source,
            args.paths,
            options,
            progress=progress,
            waiting=lambda: _say("waiting for another ingest into this store to finish"),
        )
    if done.changed and done.known:
        _say(f"already ingested, passed over: {', '.join(done.known)}")
    _say(done.summary)
    return 0


def _pair(text: str, flag: str, form: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name or not value:
        raise AutarkyError(f"{flag} {text}: expected {form} (paths come before the options)")
    return name, value


@contextmanager
def _progress() -> Iterator[Callable[[str, float], None]]:
    """Show a progress bar on a terminal; elsewhere nothing."""
    if not sys.stderr.isatty():
        yield lambda _name, _done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task("reading", total=1.0)
        yield lambda name, done: bar.update(task, description=name, completed=done)


def _coverage(args: argparse.Namespace) -> int:
    from autarky import engine, store

    _print_frame(store.Store(args.store).coverage(engine.connect()), args)
    return 0


def _log(args: argparse.Namespace) -> int:
    import pandas as pd

    from autarky import store

    rows = [
        {
            "version": v.version,
            "when": v.when,
            "source": v.source,
            "files": ", ".join(f.name for f in v.files),
            "rows_added": v.rows_added,
            "rows_replaced": v.rows_replaced,
            "rows_unchanged": v.rows_unchanged,
            "value_usd": v.value_added,
            "sha256": ", ".join(f.sha256[:12] for f in v.files),
        }
        for v in store.Store(args.store).log()
    ]
    _print_frame(pd.DataFrame(rows), args)
    return 0


def _measure(args: argparse.Namespace) -> int:
    from autarky import engine, measure, store

    con = engine.connect()
    flows = _narrowed(
        store.Store(args.store, args.as_of).flows(con), args, [f"source={args.source}"] if args.source else []
    )
    with engine.failures():
        found = measure.measure(
            flows, args.indicators.split(","), args.by.split(","), over=args.over, absent=args.absent
        )
        form = args.format or ("parquet" if (args.output or "").endswith(".parquet") else None) or _default_format(args)
        # Only what people and line-by-line comparisons read is put in order; a Parquet file has none.
        keys = [c for c in found.table.columns if c not in ("value", "unit", "flag")]
        table = found.table if form == "parquet" else found.table.order_by(keys)
        if engine.is_empty(con, flows.table):
            raise NoDataError("no data matched; `autarky coverage` shows what the store holds")
        if args.output and form != "table":
            engine.write(con, table, args.output, form)
        elif form == "table":
            _print_table(engine.rows(con, table.limit(TABLE_ROWS + 1)).to_pandas(), args)
        else:
            engine.stream(con, table, form, sys.stdout.buffer)
    return 0


def _narrowed(flows: Any, args: argparse.Namespace, conditions: Sequence[str]) -> Any:
    from autarky.tables import Condition, parse_period, parse_until

    texts = [*conditions, *args.where]
    since = parse_period(args.since) if args.since else None
    until = parse_until(args.until) if args.until else None
    if since and until and since > until:
        raise MeasureError(f"--since {args.since} is after --until {args.until}")
    return flows.where([Condition.parse(t) for t in texts], since, until)


def _run(args: argparse.Namespace) -> int:
    from pathlib import Path

    from autarky import engine, registry, report, store
    from autarky.tables import parse_period, parse_until

    study = registry.study(args.study)
    options = _study_options(study, args)
    con = engine.connect()
    flows = store.Store(args.store, args.as_of).flows(con)
    since = parse_period(args.since) if args.since else None
    until = parse_until(args.until) if args.until else None
    with engine.failures():
        findings = study.run(flows, con, since=since, until=until, **options)
    page = report.write(findings, Path(args.out), _say)
    _say(f"report: {page}")
    return 0


def _study_options(study: Any, args: argparse.Namespace) -> dict[str, Any]:
    """Turn the study's own keyword parameters into options; a study needs no entry here."""
    parser = argparse.ArgumentParser(prog=f"autarky run {args.study}", usage="%(prog)s --store DIR --out DIR [options]")
    for name, parameter in _parameters(study).items():
        choices = getattr(study, "CHOICES", {}).get(name)
        kind = type(parameter.default) if parameter.default is not None else str
        parser.add_argument(
            f"--{name.replace('_', '-')}", dest=name, default=parameter.default, choices=choices, type=kind
        )
    return vars(parser.parse_args(args.rest))


def _parameters(study: Any) -> dict[str, Any]:
    import inspect

    parameters = inspect.signature(study.run).parameters
    return {n: p for n, p in parameters.items() if p.default is not p.empty and n not in ("since", "until")}


def _watchlist(args: argparse.Namespace) -> int:
    from autarky import watchlists

    _print_frame(watchlists.load(args.id).frame(), args)
    return 0


def _list(args: argparse.Namespace) -> int:
    from autarky import registry

    for name in registry.names(args.what):
        sys.stdout.write(f"{name.replace('_', '-') if args.what == 'studies' else name:32} {_about(args.what, name)}\n")
    return 0


def _about(what: str, name: str) -> str:
    from autarky import registry

    if what in registry.CARDS:
        return str(registry.card(what, name)["title"])
    if what == "indicators":
        found = registry.indicator(name)
        return f"{(found.function.__doc__ or '').splitlines()[0]}  [unit {found.unit}, over {found.over}]"
    module = registry.source(name) if what == "sources" else registry.study(name)
    first = (module.__doc__ or "").splitlines()[0]
    if what == "studies":
        options = " ".join(f"[--{n.replace('_', '-')} {p.default}]" for n, p in _parameters(module).items())
        return f"{first}\n{'':32} options: {options}"
    return first


def _demo(args: argparse.Namespace) -> int:
    from autarky import demo

    with _progress() as progress:
        page = demo.run(args.out, _say, progress)
    _say(f"report: {page}")
    return 0


def _default_format(args: argparse.Namespace) -> str:
    suffix = (args.output or "").rpartition(".")[2]
    if suffix in FORMATS:
        return suffix
    return "table" if not args.output and sys.stdout.isatty() else "csv"


def _print_frame(frame: pd.DataFrame, args: argparse.Namespace) -> None:
    form = args.format or _default_format(args)
    if form == "table":
        _print_table(frame, args)
    elif form == "parquet":
        frame.to_parquet(args.output or sys.stdout.buffer, index=False)
    elif form == "json":
        _write(frame.to_json(orient="records", force_ascii=False, date_format="iso", indent=1) + "\n", args)
    else:
        _write(frame.to_csv(index=False), args)


def _write(text: str, args: argparse.Namespace) -> None:
    if args.output:
        with open(args.output, "w", encoding="utf-8", newline="") as target:
            target.write(text)
    else:
        sys.stdout.write(text)


def _print_table(frame: pd.DataFrame, args: argparse.Namespace) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    numeric = {c for c in frame.columns if frame[c].dtype.kind in "if"}
    for name in frame.columns:
        table.add_column(
            str(name), justify="right" if name in numeric else "left", no_wrap=name in numeric, overflow="fold"
        )
    for record in frame.head(TABLE_ROWS).itertuples(index=False):
        table.add_row(*[_cell(v) for v in record])
    with open(args.output, "w", encoding="utf-8") if args.output else _stdout() as target:
        Console(file=target, width=None if target.isatty() else 4 * 79, markup=False, highlight=False).print(table)
    if len(frame) > TABLE_ROWS:
        _say(f"first {TABLE_ROWS} rows; the rest with --format csv")


@contextmanager
def _stdout() -> Iterator[Any]:
    yield sys.stdout


def _cell(value: Any) -> str:
    if value is None or value != value:
        return "–"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:,.4g}"
    return f"{value:,}" if isinstance(value, int) and abs(value) > 9999 else str(value)


if __name__ == "__main__":
    sys.exit(main())
