"""Runs an export's launch.sh with one of these scripts in the place of the module that it starts."""
import os, stat, subprocess, sys, tempfile

INSIDE = "--inside"


def is_inside():
    """Whether launch.sh has started this; its arguments for the engine then stand in sys.argv."""
    if sys.argv[1:2] != [INSIDE]:
        return False
    # The script, --inside, -m and the module's name make way.
    sys.argv = sys.argv[:1] + sys.argv[4:]
    return True


def launch(script):
    """Gives launch.sh a python3 that starts `script`, and two GPUs to count with. Ends this process."""
    folder = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as bin:
        python = os.path.join(bin, "python3")
        with open(python, "w") as file:
            file.write(f'#!/bin/sh\nexec "{sys.executable}" "{os.path.abspath(script)}" {INSIDE} "$@"\n')
        os.chmod(python, os.stat(python).st_mode | stat.S_IXUSR)
        environment = {"GPUS": "2", **os.environ, "PATH": f"{bin}:{os.environ['PATH']}"}
        command = ["bash", os.path.join(folder, "launch.sh"), *sys.argv[2:]]
        sys.exit(subprocess.run(command, env=environment).returncode)
