"""A process that has imported the commands, and forks one child for each command.

A command is then a real process of its own, with flags, signals and an exit status,
without the seconds that imports take. It reads a JSON object a line:
{"module", "arguments", "environment", "limit", "out"} and answers with the child's
process id, then with its exit status.
"""

import importlib
import json
import os
import resource
import shutil
import signal
import sys


def child(request):
    os.environ.update(request["environment"])
    if request["limit"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["limit"],) * 2)
    sys.argv = [request["module"], *request["arguments"]]
    module = importlib.import_module(request["module"])
    module._commands.run(module.main)


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
