"""Lambda functions as processes of this machine: what LocalStack otherwise asks Docker for.

One executor is one execution environment: it starts the zip's `bootstrap`, gives it one invocation at a time through a
runtime API of its own, and ends it when it overruns its timeout, as Lambda does. A process that died is started again at
the next invocation.
"""

import json
import os
import select
import subprocess
import threading
import time
from queue import Empty

from localstack.services.lambda_.invocation import runtime_executor
from localstack.services.lambda_.invocation.lambda_models import InvocationResult

from runtime_api import Answer, Invocation, RuntimeApi

# Lambda's own bound for the start of a function.
INIT_SECONDS = 10


class ProcessExecutor(runtime_executor.RuntimeExecutor):
    def __init__(self, id, function_version):
        super().__init__(id=id, function_version=function_version)
        self.variables = {}
        self.process = None
        self.api = None
        self.pipe = None
        self.printed = []
        self.printing = threading.RLock()

    def start(self, env_vars):
        self.variables = {name: str(value) for name, value in env_vars.items() if value is not None}
        self._start_process()

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        if self.api:
            self.api.close()
        self.process = self.api = None

    def invoke(self, payload, **_):
        if self.process is None or self.process.poll() is not None:
            self.stop()
            self._start_process()
        timeout = self.function_version.config.timeout
        begun = time.monotonic()
        request_id = payload["invoke-id"]
        answers = self.api.hand_over(
            Invocation(
                request_id=request_id,
                function_arn=payload["invoked-function-arn"],
                trace=payload["trace-id"],
                deadline_ms=int((time.time() + timeout) * 1000),
                payload=payload["payload"].encode(),
            )
        )
        answer = self._answer(answers, begun + timeout) or self._end_overdue(request_id, timeout)
        if self.api:
            self.api.forget(request_id)
        milliseconds = (time.monotonic() - begun) * 1000
        with self.printing:
            lines = self.get_logs()
            self.printed = []
        logs = (
            f"START RequestId: {request_id} Version: $LATEST\n{lines}END RequestId: {request_id}\n"
            f"REPORT RequestId: {request_id}\tDuration: {milliseconds:.2f} ms\n"
        )
        return InvocationResult(request_id, answer.body, is_error=answer.is_error, logs=logs)

    def _answer(self, answers, ends):
        """The process's answer, or that it died; none if its time is over first."""
        while (left := ends - time.monotonic()) > 0:
            try:
                return answers.get(timeout=min(0.05, left))
            except Empty:
                if self.process.poll() is not None:
                    status = self.process.returncode
                    self.stop()
                    return error("Runtime.ExitError", f"Runtime exited with error: exit status {status}")
        return None

    def _end_overdue(self, request_id, timeout):
        self.stop()
        return error("Sandbox.Timedout", f"RequestId: {request_id} Error: Task timed out after {timeout:.2f} seconds")

    def _start_process(self):
        code = self.function_version.config.code
        code.prepare_for_execution()
        folder = str(code.get_unzipped_code_location())
        bootstrap = os.path.join(folder, "bootstrap")
        if not os.path.exists(bootstrap):
            raise runtime_executor.LambdaRuntimeException(f"Runtime.InvalidEntrypoint: no bootstrap in {folder}")
        self.api = RuntimeApi()
        variables = {
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            **self.variables,
            "AWS_LAMBDA_RUNTIME_API": self.api.address,
            "LAMBDA_TASK_ROOT": folder,
            "HOME": "/tmp",
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        }
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        self.process = subprocess.Popen([bootstrap], cwd=folder, env=variables, bufsize=0, **pipes)
        self.pipe = self.process.stdout
        os.set_blocking(self.pipe.fileno(), False)
        threading.Thread(target=self._keep_pipe_empty, args=(self.pipe,), daemon=True).start()
        ends = time.monotonic() + INIT_SECONDS
        while not self.api.ready.wait(0.02):
            if self.process.poll() is not None:
                self._can_not_start(f"Runtime.ExitError: bootstrap exited with {self.process.returncode} at its start")
            if time.monotonic() > ends:
                self._can_not_start(f"Sandbox.Timedout: bootstrap asked for no work in {INIT_SECONDS} s")
        if self.api.init_error is not None:
            self._can_not_start(f"Runtime.InitError: {self.api.init_error!r}")

    def _can_not_start(self, reason):
        self.stop()
        raise runtime_executor.LambdaRuntimeException(f"{reason}\n{self.get_logs()}")

    def _keep_pipe_empty(self, pipe):
        """Reads what the process prints while it runs, as it would wait for room in a full pipe."""
        poll = select.poll()
        poll.register(pipe, select.POLLIN)
        while self._read(pipe):
            poll.poll()

    def _read(self, pipe):
        """Reads what is in the pipe. Returns whether its process may print more."""
        with self.printing:
            while piece := pipe.read(65536):
                self.printed.append(piece)
        return piece is None

    def get_logs(self):
        """Returns what the process has printed since the end of its last invocation. A process prints before it answers."""
        if self.pipe:
            self._read(self.pipe)
        return b"".join(self.printed).decode("utf-8", "replace")

    # Where the function finds LocalStack, and LocalStack the function: on this machine.
    def get_address(self):
        return "127.0.0.1"

    def get_endpoint_from_executor(self):
        return "127.0.0.1"

    def get_runtime_endpoint(self):
        return f"http://{self.api.address}" if self.api else "http://127.0.0.1:1"

    @classmethod
    def prepare_version(cls, function_version):
        if function_version.config.code:
            function_version.config.code.prepare_for_execution()

    @classmethod
    def cleanup_version(cls, function_version):
        pass

    @classmethod
    def validate_environment(cls):
        return True


def error(kind, message):
    return Answer(True, json.dumps({"errorType": kind, "errorMessage": message}).encode())
