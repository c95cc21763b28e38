"""Fails where a source file has more than 500 lines: it is two things."""
import subprocess
import sys
from pathlib import Path

MOST = 500
names = subprocess.run(["git", "ls-files", "*.py", "*.pyx", "*.pxd", "*.pxi", "*.c", "*.h"], check=True,
                       capture_output=True, text=True).stdout.split()
long = [(name, lines) for name in names if (lines := len(Path(name).read_text().splitlines())) > MOST]
for name, lines in long:
    print(f"{name}: {lines} lines, more than {MOST}")
sys.exit(bool(long))
