"""What runs on this machine: one folder for each emulator, with its state, its logs and its data."""

import json
import shutil
import time

import emulators
import processes
from processes import Problem
from tools import HERE, say

RUN = HERE / ".run"


class Run:
    """One emulator, running or not."""

    def __init__(self, name):
        self.name = name
        self.folder = RUN / name
        self.file = self.folder / "state.json"
        self.state = json.loads(self.file.read_text()) if self.file.exists() else {}

    def save(self):
        self.file.write_text(json.dumps(self.state, indent=2) + "\n")

    def is_up(self):
        process = self.state.get("process")
        return bool(process) and processes.is_alive(process) and processes.answers(self.state["health"])

    def start(self, port, native):
        """Starts the emulator, unless it is up."""
        if self.is_up():
            say(f"{self.state['kind']} is up at {self.state['endpoint']}")
            return
        self.stop()
        self.folder.mkdir(parents=True, exist_ok=True)
        emulator = emulators.chosen(self.name, native)
        if port and not processes.is_free(port):
            raise Problem(f"port {port} is taken: choose another one by --port, or a free one by --port 0")
        port = port or processes.free_port()
        begun = time.monotonic()
        process = emulator.start(self.folder, port)
        endpoint = f"http://127.0.0.1:{port}"
        self.state = {
            "class": type(emulator).__name__,
            "name": emulator.name,
            "kind": emulator.kind,
            "endpoint": endpoint,
            "health": endpoint + emulator.health,
            "process": process,
            "others": {},
            "stacks": {},
        }
        self.save()
        processes.wait_for(self.state["health"], process, 120)
        say(f"{emulator.kind} is up at {endpoint} after {time.monotonic() - begun:.1f} s; its log is {process['log']}")

    def stack(self, name):
        return self.state["stacks"].setdefault(name, {"stack": name, "endpoint": self.state["endpoint"], "on": self.state["name"]})

    def stop(self):
        """Ends everything, and forgets the data; the logs stay."""
        if not self.state:
            return False
        for process in self.state["others"].values():
            processes.stop(process)
        emulators.of(self.state).stop(self.state["process"])
        emulators.forget(self.folder)
        self.file.unlink(missing_ok=True)
        for built in self.folder.glob("build*/"):
            shutil.rmtree(built, ignore_errors=True)
        self.state = {}
        return True


def all_runs():
    return [Run(folder.name) for folder in sorted(RUN.glob("*")) if (folder / "state.json").exists()]
