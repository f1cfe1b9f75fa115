"use strict";
(() => {
  const main = document.querySelector("main");
  const part = (name) => document.getElementById(name);
  const seconds = (count) => new Promise((done) => setTimeout(done, count * 1000));
  const over = ["succeeded", "failed", "cancelled"];
  const self = main.dataset.self;
  let tag = main.dataset.tag;
  // Milliseconds by which this clock is ahead of the service's.
  let ahead = 0;
  // True if the person requested to cancel, and the service did not reject that.
  let asked = false;

  const say = (name, text) => {
    const element = part(name);
    // Set only on a change, so that a screen reader does not repeat it.
    if (element.textContent !== text) element.textContent = text;
  };
  const reveal = (name, yes) => { part(name).hidden = !yes; };
  const away = (yes) => say("away", yes ? "The service does not respond; retrying." : "");
  const human = (time) => `${time.slice(0, 10)} ${time.slice(11, 19)} UTC`;
  const date = (name, time) => {
    reveal(`${name}-row`, time);
    if (!time) return;
    part(name).dateTime = time;
    say(name, human(time));
  };
  const countDown = () => {
    const time = part("retry").dateTime;
    const left = Math.ceil((Date.parse(time) - Date.now() + ahead) / 1000);
    const wait = left < 120 ? `${left} s` : `${Math.round(left / 60)} min`;
    if (time) say("retry", human(time) + (left > 0 ? `, in ${wait}` : ""));
  };

  // A disabled button would lose the focus.
  const shut = (yes) => part("cancel").setAttribute("aria-disabled", String(yes));
  const close = () => {
    const focused = document.activeElement === part("cancel");
    reveal("progress", false);
    reveal("cancel", false);
    say("refused", "");
    if (focused) part("state").focus();
  };
  const state = (status, text, title) => {
    part("state").dataset.status = status;
    say("state", text);
    document.title = `${title} – ${document.querySelector("h1").textContent}`;
  };

  const show = (job) => {
    const done = over.includes(job.status);
    const progress = job.progress;
    const running = job.status === "running" && progress;
    const percent = progress ? `${Math.round(progress.percent)} %` : "";
    const words = main.dataset[job.status];
    state(job.status, words + (running && running.message ? `: ${running.message}` : ""), running ? percent : words);
    if (progress) part("bar").value = Math.round(progress.percent);
    else part("bar").removeAttribute("value");
    say("percent", percent);
    say("attempt", String(job.attempt));
    reveal("attempt-row", job.attempt > 0);
    date("created", job.created_at);
    date("started", job.started_at);
    date("updated", job.updated_at);
    date("estimated", job.estimated_finish_at);
    date("retry", job.retry_at);
    countDown();
    date("finished", job.finished_at);
    date("expires", job.expires_at);
    reveal("error", job.error);
    if (job.error) {
      say("detail", job.error.detail);
      say("code", job.error.code);
    }
    reveal("result", job.status === "succeeded" && (job.result_url || (job.result !== undefined && job.result !== null)));
    const cancelling = job.status === "cancelling";
    shut(asked || cancelling);
    if (cancelling) say("refused", "");
    if (done) close();
    return done;
  };

  // Delay after a poll that was not held, or that failed: at least a second.
  const pause = (answer) => seconds(Math.max(1, Number(answer && answer.headers.get("Retry-After")) || 5));
  // Longer than any wait: without a timeout, a lost connection would be waited for forever.
  const ask = (init) => fetch(self, { cache: "no-store", signal: AbortSignal.timeout(40000), ...init });

  // Leads to the resource of a job that has succeeded, in place of this page in the browser's history: going back to
  // this page would lead here again.
  const leave = (job) => {
    if (job.status === "succeeded" && job.resource) location.replace(job.resource);
  };

  // Follows the job by server-sent events. Resolves to false if they do not arrive: then the page polls.
  const listen = () => new Promise((done) => {
    if (!window.EventSource || !main.dataset.events) { done(false); return; }
    const source = new EventSource(main.dataset.events);
    const end = (followed) => { source.close(); clearTimeout(patience); done(followed); };
    // A proxy may hold a stream back until it is complete.
    const patience = setTimeout(() => end(false), 5000);
    source.addEventListener("job", (event) => {
      clearTimeout(patience);
      away(false);
      const job = JSON.parse(event.data);
      if (!show(job)) return;
      leave(job);
      end(true);
    });
    source.addEventListener("error", () => {
      // The browser reconnects, unless the response was not a stream.
      if (source.readyState === EventSource.CLOSED) end(false);
      else away(true);
    });
    source.addEventListener("open", () => away(false));
  });

  const follow = async () => {
    if (await listen()) return;
    for (;;) {
      let answer;
      let job = null;
      try {
        answer = await ask({ headers: { Accept: "application/json", "If-None-Match": tag, Prefer: "wait=20" } });
        const now = Date.parse(answer.headers.get("Date"));
        if (now) ahead = Date.now() - now;
        const failing = answer.status >= 500 || answer.status === 429;
        if (answer.status !== 304 && !failing) {
          // A rejection by a gateway may not be JSON. A job always is.
          const body = await answer.json().catch((error) => {
            if (answer.ok) throw error;
            return {};
          });
          job = body.job || body;
        }
        away(failing);
      } catch {
        away(true);
        await pause(null);
        continue;
      }
      if (job && !main.dataset[job.status]) {
        // The job no longer exists: show the text of the response.
        state("", job.detail || job.title || job.message || `The service responded with status ${answer.status}.`, "Unknown");
        close();
        return;
      }
      if (job) {
        tag = answer.headers.get("ETag") || tag;
        if (show(job)) {
          leave(job);
          return;
        }
      }
      if (!job && answer.status !== 304) await pause(answer);
      else if (!answer.headers.get("Preference-Applied")) await pause(answer);
    }
  };

  part("cancel").addEventListener("click", async () => {
    if (part("cancel").getAttribute("aria-disabled") === "true") return;
    asked = true;
    shut(true);
    say("refused", "");
    try {
      const answer = await ask({ method: "DELETE", headers: { Accept: "application/json" } });
      // 409: the job has ended, as the next poll will show.
      if (answer.ok || answer.status === 409) return;
    } catch {
      // No response counts as a rejection.
    }
    asked = false;
    if (part("cancel").hidden) return;
    shut(false);
    say("refused", "The job could not be cancelled; try again.");
  });

  if (main.dataset.follow === "yes") {
    reveal("cancel", main.dataset.cancel === "yes");
    countDown();
    const clock = setInterval(countDown, 1000);
    follow().finally(() => clearInterval(clock));
  }
})();
