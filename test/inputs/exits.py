"""exits.py CODE COMMAND...: runs a command and fails unless it exits with CODE.

The command's two streams come out as one, for FileCheck. A signal is never the
expected code.
"""
import subprocess
import sys

expected, command = int(sys.argv[1]), sys.argv[2:]
done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
sys.stdout.buffer.write(done.stdout)
if done.returncode != expected:
    sys.exit(f"exits.py: {command[0]} exited with {done.returncode}, expected {expected}")
