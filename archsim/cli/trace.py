"""``archsim trace``: write the workload trace of a known model."""

from __future__ import annotations

import argparse

from archsim.cli.options import Verbs

_DESCRIPTION = """\
Write the workload trace of a model: its operations, layer by layer, and the phases that its tokens
go through, a prefill of --tokens, a decode of --decode steps, or both."""

_EXAMPLE = """\
examples:
  archsim trace bert_large --tokens 128 --no-head -o workloads/bert_large.trace
  archsim trace gpt2 --tokens 128 --decode 64 --batch 4
  archsim trace llama3_2_1b --decode 64 --context 1024"""


def add_parser(verbs: Verbs) -> None:
    """Declare the verb's arguments."""
    parser = verbs.add_parser(
        "trace", help="write the trace of a model", description=_DESCRIPTION, epilog=_EXAMPLE
    )
    parser.set_defaults(run=run)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("model", metavar="MODEL", nargs="?", help="a known model; --list names them")
    what.add_argument("--list", action="store_true", help="list the known models")
    parser.add_argument(
        "--tokens",
        type=int,
        metavar="N",
        help="tokens of the prefill (default: the model's usual number; 0 with --context alone)",
    )
    parser.add_argument("--decode", type=int, metavar="M", default=0, help="decode steps (default: 0)")
    parser.add_argument(
        "--context", type=int, metavar="C", help="keys in the cache before the first decode step"
    )
    parser.add_argument("--batch", type=int, metavar="B", default=1, help="sequences at once (default: 1)")
    parser.add_argument(
        "--no-head", dest="head", action="store_false", help="leave the output head out, as papers do"
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="write to FILE instead of stdout")


def run(arguments: argparse.Namespace) -> str:
    """Generate the trace; write it to the file, or return it."""
    from archsim.results.output import write_file
    from archsim.workload.generate import Request, trace_text

    if arguments.list:
        return _models()
    text = trace_text(
        Request(
            arguments.model,
            tokens=arguments.tokens,
            decode=arguments.decode,
            context=arguments.context,
            batch=arguments.batch,
            head=arguments.head,
        )
    )
    if arguments.output is None:
        return text
    write_file(arguments.output, text)
    return ""


def _models() -> str:
    """The known models, one a line, with where their shapes are published."""
    from archsim.workload.models import MODELS

    width = max(len(name) for name in MODELS)
    return "\n".join(f"{name:{width}}  {shape.source}" for name, shape in MODELS.items())
