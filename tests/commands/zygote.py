"""A process that has imported the commands, and forks one child for each command.

A command is then a real process of its own, with flags, signals and an exit status,
without the seconds that imports take. It reads a JSON object a line:
{"module", "arguments", "environment", "limit", "watch", "kill_at", "out"} and answers
with the child's process id, then with its exit status.
"""

import importlib
import json
import os
import resource
import shutil
import signal
import sys

OPERATIONS = ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.truncate")
"""Audit events of a file's or folder's beginning, end or change of name."""


def watch(folder, kill_at):
    """Counts operations in a folder; before one of them the process kills itself.

    Returns:
      How many there were so far, as a list of one.
    """
    count = [0]

    def hook(event, arguments):
        if event not in OPERATIONS or folder not in str(arguments[0]):
            return
        count[0] += 1
        if count[0] == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    return count


def child(request):
    os.environ.update(request["environment"])
    if request["limit"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["limit"],) * 2)
    sys.argv = [request["module"], *request["arguments"]]
    module = importlib.import_module(request["module"])
    count = watch(request["watch"], request["kill_at"]) if request["watch"] else [0]
    try:
        module._commands.run(module.main)
    finally:
        if request["watch"]:
            print(f"file operations: {count[0]}")


def main():
    # Hold the answers' channel apart from what commands print.
    answers = os.fdopen(os.dup(1), "w")
    importlib.import_module("noisejax._commands")  # no command: it reads sys.argv

    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        # A pipe, as a limit to the size of files would cut a file of the output, too.
        reading, writing = os.pipe()
        pid = os.fork()
        if not pid:
            answers.close()
            os.close(reading)
            for stream in (1, 2):
                os.dup2(writing, stream)
            signal.set_wakeup_fd(-1)
            # A shell may have started this in the background, where it is ignored.
            signal.signal(signal.SIGINT, signal.default_int_handler)
            status = 1
            try:
                child(request)
                status = 0
            except SystemExit as end:
                status = end.code if isinstance(end.code, int) else int(bool(end.code))
            except BaseException:
                import traceback

                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)
        os.close(writing)
        print(pid, file=answers, flush=True)
        with os.fdopen(reading, "rb") as output, open(request["out"], "wb") as out:
            shutil.copyfileobj(output, out)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        print(status, file=answers, flush=True)


if __name__ == "__main__":
    main()
