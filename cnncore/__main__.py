"""The command line: `cnncore train`, `cnncore predict`, `cnncore bench`, `cnncore info`; also `python -m cnncore`."""
import argparse
import sys


def main(argv=None):
    """Parses the command line and runs a command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="cnncore", description="Trains and runs convolutional networks on CPUs.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    from cnncore.cli import bench, info, predict, train

    for module in (train, predict, bench, info):
        command = commands.add_parser(module.__name__.rpartition(".")[2], help=module.HELP, description=module.HELP)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    options = parser.parse_args(argv)
    try:
        return options.run(options)
    except KeyboardInterrupt:
        print("\ncnncore: interrupted", file=sys.stderr)
        return 130
    except (OSError, ValueError, ImportError) as error:
        print(f"cnncore: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
