"""A headless Chromium that opens a page, answers JavaScript and takes pictures: the DevTools protocol over two pipes."""
import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time

EXECUTABLE = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

# Every element of the page, those inside the shadow roots of web components too.
EVERYWHERE = """
function everywhere(selector, root = document) {
  const found = [...root.querySelectorAll(selector)];
  for (const element of root.querySelectorAll('*'))
    if (element.shadowRoot) found.push(...everywhere(selector, element.shadowRoot));
  return found;
}
"""


class Browser:
    """One tab of a Chromium whose profile lies in `folder`; no network but the loopback is asked for."""

    def __init__(self, folder, size=(1280, 1400)):
        read_commands, self._commands = os.pipe()
        self._answers, write_answers = os.pipe()
        # --remote-debugging-pipe takes the numbers 3 and 4: a shell puts the pipes there, from numbers out of the way.
        inside = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (read_commands, write_answers)]
        self._process = subprocess.Popen(
            ["sh", "-c", f'exec "$@" 3</dev/fd/{inside[0]} 4>/dev/fd/{inside[1]}', "sh", EXECUTABLE, "--headless=new",
             "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
             f"--user-data-dir={folder}", f"--window-size={size[0]},{size[1]}", "about:blank"],
            pass_fds=inside, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True)
        for end in (read_commands, write_answers, *inside):
            os.close(end)
        self._count, self._rest, self._session = 0, b"", None
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self._commands)
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._answers)

    def ask(self, method, timeout=30, **parameters):
        """What the browser answers to one command."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + timeout
        while True:
            while b"\0" in self._rest:
                text, self._rest = self._rest.split(b"\0", 1)
                answer = json.loads(text)
                if answer.get("id") == self._count:
                    if "error" in answer:
                        raise RuntimeError(f"{method}: {answer['error']}")
                    return answer["result"]
            if not select.select([self._answers], [], [], max(0, until - time.monotonic()))[0]:
                raise TimeoutError(f"Chromium did not answer {method} within {timeout} s")
            part = os.read(self._answers, 1 << 20)
            if not part:
                raise RuntimeError(f"Chromium ended before it answered {method}")
            self._rest += part

    def open(self, url):
        # By way of an empty page: else another fragment of the same page would load nothing.
        self.ask("Page.navigate", url="about:blank")
        self.ask("Page.navigate", url=url)

    def evaluate(self, expression):
        """The value of a JavaScript expression, which may use everywhere(selector)."""
        answer = self.ask("Runtime.evaluate", expression=f"(() => {{{EVERYWHERE} return {expression}}})()",
                          returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"].get("exception", {}).get("description"))
        return answer["result"].get("value")

    def wait_for(self, expression, accept=bool, timeout=20):
        """The value of an expression as soon as it is accepted and no longer changes."""
        until, value = time.monotonic() + timeout, None
        while time.monotonic() < until:
            before, value = value, self.evaluate(expression)
            if value == before and accept(value):
                return value
            time.sleep(0.15)
        raise AssertionError(f"{expression} is still {value!r} after {timeout} s")

    def click(self, selector, text):
        """Clicks the first element of a kind that shows this text, as soon as there is one."""
        element = f"everywhere({selector!r}).filter(element => element.textContent.includes({text!r}))"
        self.wait_for(f"{element}.length")
        self.evaluate(f"{element}[0].click()")

    def picture(self, path):
        """Writes what the window shows into a PNG file."""
        data = self.ask("Page.captureScreenshot", format="png")["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))
