"""The command line: finds the commands, calls one, turns errors into exit codes.

Data goes to standard output, all else to standard error.  Exit 0; 1 = no data matched; 2 = bad input or usage.
"""

from __future__ import annotations

import argparse
import atexit
import gc
import os
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pkgutil import iter_modules

from autarky import __version__, commands
from autarky.errors import AutarkyError, NoDataError
from autarky.output import say


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    # Imports make many objects and no garbage; at the usual pace, looking for it is a fifth of a first answer.
    gc.set_threshold(50_000, 20, 50)
    parser = _parser()
    args, rest = parser.parse_known_args(argv)
    if rest and not args.open:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    args.rest = rest
    warnings.showwarning = lambda message, *_args, **_kwargs: say(f"warning: {message}")
    try:
        code: int = args.call(args)
        sys.stdout.flush()
        return code
    except NoDataError as error:
        return _failed(error, args.debug, 1)
    except AutarkyError as error:
        return _failed(error, args.debug, 2)
    except BrokenPipeError:
        # The reader of our output has seen enough (`autarky … | head`).
        sys.stderr.close()
        return 0
    except OSError as error:
        return _failed(AutarkyError(f"{error.filename or 'output'}: {error.strerror}"), args.debug, 2)
    except KeyboardInterrupt:
        say("interrupted; nothing was committed")
        return 130


def run() -> None:
    """Be the program: run one command, clean up, and end at once.

    Python would first take apart all that was imported, object by object: a quarter of a second, of a first answer of
    one.
    """
    code = main()
    for stream in (sys.stdout, sys.stderr):
        # Whoever read it may be gone; that was told, or asked for, in `main`.
        with suppress(OSError, ValueError):
            stream.flush()
    atexit._run_exitfuncs()
    os._exit(code)


def _failed(error: AutarkyError, debug: bool, code: int) -> int:
    if debug:
        raise error
    say(f"error: {error}")
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="autarky", description="Measures trade dependence, choke points and self-reliance from customs data."
    )
    parser.add_argument("--version", action="version", version=f"autarky {__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    group = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in sorted(m.name for m in iter_modules(commands.__path__)):
        module = import_module(f"autarky.commands.{name}")
        command = group.add_parser(name, help=module.SUMMARY, description=module.SUMMARY)
        command.set_defaults(call=module.call, open=getattr(module, "OPEN", False))
        module.arguments(command)
    return parser


if __name__ == "__main__":
    run()
