"""The cmocka programs as tests of this run: one item per cmocka test.

Each program runs once; its items read their verdicts from its TAP output.
"""

import os
import re
import signal
import subprocess

import pytest

import harness

TEST = re.compile(r"\bcmocka_unit_test(?:_\w+)?\s*\(\s*(\w+)")
VERDICT = re.compile(r"^(ok|not ok) \d+ - (\w+)", re.M)
# The program says why, in the line before. "not ok" up to cmocka 1.1.5.
SKIPPED = re.compile(r"^(.*)\n(?:not )?ok \d+ # SKIP (\w+)", re.M)


def pytest_collect_file(file_path, parent):
    if file_path.suffix == ".c" and file_path.name.startswith("test_"):
        return Program.from_parent(parent, path=file_path)
    return None


class Program(pytest.File):
    verdicts = None

    def collect(self):
        names = dict.fromkeys(TEST.findall(self.path.read_text()))
        for name in names:
            claim = Claim.from_parent(self, name=name)
            # One worker runs the program, not each of them.
            claim.add_marker(pytest.mark.xdist_group(self.path.stem))
            yield claim

    def run(self):
        if self.verdicts is not None:
            return
        binary = harness.BUILD / "test" / "unit" / self.path.stem
        if not binary.exists():
            raise Refuted(127, f"{binary} is not built: make units")
        env = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP")
        p = subprocess.Popen(
            [str(binary)],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=harness.ROOT,
            start_new_session=True,
        )
        try:
            out, _ = p.communicate(timeout=160 * harness.PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(p.pid, signal.SIGKILL)
            out, _ = p.communicate()
        self.output = out.decode(errors="replace")
        self.status = p.returncode
        self.verdicts = {m[2]: m[1] for m in VERDICT.finditer(self.output)}
        self.skipped = {m[2]: m[1] for m in SKIPPED.finditer(self.output)}


class Claim(pytest.Item):
    def runtest(self):
        self.parent.run()
        said = self.parent.verdicts.get(self.name)
        if said is None and self.name in self.parent.skipped:
            pytest.skip(self.parent.skipped[self.name])
        # A leak that a sanitizer reports at the end spares no test.
        blame = said == "ok" and all(
            v == "ok" for v in self.parent.verdicts.values()
        )
        if said != "ok" or (blame and self.parent.status != 0):
            raise Refuted(self.parent.status, self.parent.output)

    def repr_failure(self, excinfo):
        if isinstance(excinfo.value, Refuted):
            return "exit status %d\n%s" % excinfo.value.args
        return super().repr_failure(excinfo)

    def reportinfo(self):
        return self.path, 0, f"{self.path.stem}: {self.name}"


class Refuted(Exception):
    pass
