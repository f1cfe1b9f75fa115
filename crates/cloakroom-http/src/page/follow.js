"use strict";
(() => {
  const main = document.querySelector("main");
  const part = (name) => document.getElementById(name);
  const seconds = (count) => new Promise((done) => setTimeout(done, count * 1000));
  const over = ["succeeded", "failed", "cancelled"];
  const self = main.dataset.self;
  let tag = main.dataset.tag;

  const say = (name, text) => {
    const element = part(name);
    // Said only when it changed, so that a screen reader does not repeat itself.
    if (element.textContent !== text) element.textContent = text;
  };
  const reveal = (name, yes) => { part(name).hidden = !yes; };
  const date = (name, time) => {
    reveal(`${name}-row`, time);
    if (!time) return;
    part(name).dateTime = time;
    say(name, `${time.slice(0, 10)} ${time.slice(11, 19)} UTC`);
  };

  const show = (job) => {
    const done = over.includes(job.status);
    const message = job.progress && !done && job.progress.message;
    say("state", (main.dataset[job.status] || job.status) + (message ? `: ${message}` : ""));
    document.title = `${job.type}: ${job.status}`;
    reveal("progress", !done);
    const percent = job.progress && Math.round(job.progress.percent);
    if (job.progress) part("bar").value = percent;
    else part("bar").removeAttribute("value");
    say("percent", job.progress ? `${percent} %` : "");
    say("attempt", String(job.attempt));
    reveal("attempt-row", job.attempt > 0);
    date("created", job.created_at);
    date("started", job.started_at);
    date("updated", job.updated_at);
    date("estimated", job.estimated_finish_at);
    date("retry", job.retry_at);
    date("finished", job.finished_at);
    date("expires", job.expires_at);
    reveal("error", job.error);
    if (job.error) {
      say("detail", job.error.detail);
      say("code", job.error.code);
    }
    reveal("result", job.status === "succeeded" && (job.result_url || (job.result !== undefined && job.result !== null)));
    reveal("cancel", !done);
    part("cancel").disabled = job.status === "cancelling";
    return done;
  };

  // What a wait that was not granted, or an answer that is not known, asks for: never less than a second.
  const pause = (answer) => seconds(Math.max(1, Number(answer && answer.headers.get("Retry-After")) || 5));

  const follow = async () => {
    for (;;) {
      let answer;
      let job = null;
      try {
        const headers = { Accept: "application/json", "If-None-Match": tag, Prefer: "wait=20" };
        answer = await fetch(self, { headers, cache: "no-store" });
        if (answer.status !== 304 && answer.status < 500 && answer.status !== 429) {
          const body = await answer.json();
          job = body.job || body;
        }
      } catch {
        await pause(null);
        continue;
      }
      if (job && !main.dataset[job.status]) {
        // No job any more: what is said of that is all there is.
        say("state", job.detail || job.title || "");
        reveal("progress", false);
        reveal("cancel", false);
        return;
      }
      if (job) {
        tag = answer.headers.get("ETag") || tag;
        if (show(job)) {
          if (job.status === "succeeded" && job.resource) location.assign(job.resource);
          return;
        }
      }
      if (!job && answer.status !== 304) await pause(answer);
      else if (!answer.headers.get("Preference-Applied")) await pause(answer);
    }
  };

  part("cancel").addEventListener("click", async () => {
    part("cancel").disabled = true;
    try {
      const answer = await fetch(self, { method: "DELETE", headers: { Accept: "application/json" } });
      if (answer.status >= 500 || answer.status === 429) part("cancel").disabled = false;
    } catch {
      part("cancel").disabled = false;
    }
  });

  if (main.dataset.follow === "yes") {
    reveal("cancel", true);
    follow();
  }
})();
