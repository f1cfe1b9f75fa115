// Uses the page of a job and the landing page of the service at $URL. The requests are real; what a page does not get otherwise
// (an unavailable service, a stream that a proxy holds back) is simulated at the window's own functions.
import assert from "node:assert/strict";
import { test } from "node:test";
import { EventSource } from "eventsource";
import { JSDOM, VirtualConsole } from "jsdom";

const SERVICE = process.env.URL;

const submit = async (payload) => {
  const response = await fetch(`${SERVICE}/commands/diagnostic.run`, { method: "POST", body: JSON.stringify(payload), headers: { "Content-Type": "application/json" } });
  assert.equal(response.status, 202);
  return response.headers.get("Location");
};

/** Opens a page. `fetch` answers its requests in place of the service; `change` changes its HTML. */
const open = async (path, { fetch: answer = fetch, events = undefined, change = (html) => html } = {}) => {
  const html = await (await fetch(SERVICE + path, { headers: { Accept: "text/html" } })).text();
  const requests = [];
  const ways = [];
  // jsdom does not navigate: it reports where to.
  const log = new VirtualConsole().on("jsdomError", (error) => ways.push(error.message));
  const { window } = new JSDOM(change(html), {
    url: SERVICE + path,
    runScripts: "dangerously",
    virtualConsole: log,
    beforeParse: (window) => {
      window.fetch = (url, init) => {
        const request = { url: new URL(url, SERVICE).href, method: "GET", at: Date.now(), ...init };
        requests.push(request);
        return answer(request.url, init);
      };
      window.AbortSignal = AbortSignal;
      // Relative URLs are resolved against the page's.
      if (events) window.EventSource = class extends events { constructor(url) { super(new URL(url, SERVICE)); } };
    },
  });
  const part = (name) => window.document.getElementById(name);
  return { window, document: window.document, part, requests, ways };
};

/** Waits until `found` returns something, for at most 20 s. */
const until = async (found, what) => {
  for (const end = Date.now() + 20000; Date.now() < end; await new Promise((done) => setTimeout(done, 20))) {
    const value = found();
    if (value) return value;
  }
  assert.fail(`${what} did not come`);
};

const ended = (page) => until(() => ["succeeded", "failed", "cancelled"].includes(page.part("state").dataset.status), "the end");

const json = (status, body, headers = {}) => new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/json", ...headers } });

test("the page follows a job by events, without a poll", async () => {
  const page = await open(await submit({ duration_ms: 6000, progress_steps: 3, message: "<b>one</b>", result: 7 }), { events: EventSource });
  assert.equal(page.part("cancel").hidden, false);
  await until(() => page.part("state").textContent === "Running: <b>one</b>", "progress");
  assert.match(page.document.title, /^\d+ % – diagnostic.run$/);
  assert.equal(page.part("attempt").textContent, "1");
  await ended(page);
  assert.deepEqual([page.part("state").textContent, page.document.title], ["Done", "Done – diagnostic.run"]);
  assert.deepEqual(["result", "cancel", "progress", "error"].map((name) => page.part(name).hidden), [false, true, true, true]);
  assert.equal(page.part("finished-row").hidden, false);
  assert.deepEqual(page.requests, []);
});

test("without events the page polls, and each poll waits for a change", async () => {
  const location = await submit({ duration_ms: 2500, result_bytes: 100000 });
  const page = await open(location);
  await ended(page);
  assert.equal(page.part("result").hidden, false);
  assert.ok(page.requests.length <= 5, `${page.requests.length} polls`);
  const { url, headers, cache } = page.requests[0];
  assert.deepEqual([url, cache], [SERVICE + location, "no-store"]);
  assert.deepEqual({ ...headers }, { Accept: "application/json", "If-None-Match": page.document.querySelector("main").dataset.tag, Prefer: "wait=20" });
  const tags = page.requests.map((request) => request.headers["If-None-Match"]);
  assert.equal(new Set(tags).size, tags.length, "each names what the one before it got");
});

test("the page polls where a stream does not arrive", async () => {
  class Silent extends EventTarget {
    static CLOSED = 2;
    constructor() { super(); this.readyState = 0; }
    close() { this.readyState = 2; }
  }
  class Refused extends Silent {
    constructor() { super(); this.readyState = 2; setTimeout(() => this.dispatchEvent(new Event("error")), 10); }
  }
  const location = await submit({ duration_ms: 7000, result: 1 });
  const pages = await Promise.all([Silent, Refused].map((events) => open(location, { events })));
  await until(() => pages[1].requests.length > 0, "a poll at once");
  assert.equal(pages[0].requests.length, 0);
  for (const page of pages) await ended(page);
  assert.ok(pages.every((page) => page.requests.length > 0));
});

test("a failure is shown as text, with its code", async () => {
  const failing = { duration_ms: 500, fail: "terminal", code: "no-paper", message: "<i>out of paper</i>" };
  for (const events of [EventSource, undefined]) {
    const page = await open(await submit(failing), { events });
    await ended(page);
    assert.deepEqual([page.part("error").hidden, page.part("result").hidden], [false, true]);
    assert.deepEqual([page.part("detail").textContent, page.part("code").textContent], ["<i>out of paper</i>", "no-paper"]);
  }
});

test("the next attempt is counted down by the service's clock", async () => {
  const location = await submit({ duration_ms: 60000 });
  const job = await (await fetch(SERVICE + location)).json();
  const now = Date.parse("2030-01-01T00:00:00Z");
  const retrying = { ...job, status: "retrying", attempt: 3, retry_at: new Date(now + 60000).toISOString() };
  const page = await open(location, { fetch: async () => json(202, retrying, { Date: new Date(now).toUTCString(), "Retry-After": "30" }) });
  const [, left] = await until(() => /^2030-01-01 00:01:00 UTC, in (\d+) s$/.exec(page.part("retry").textContent), "a countdown");
  assert.ok(left > 30 && left <= 60, left);
  assert.deepEqual([page.part("retry-row").hidden, page.part("attempt").textContent], [false, "3"]);
  assert.match(page.part("state").textContent, /^Waiting for the next attempt/);
  page.window.close();
});

test("the job is cancelled by the button, once", async () => {
  const page = await open(await submit({ duration_ms: 60000 }), { events: EventSource });
  await until(() => page.part("state").dataset.status === "running", "the start");
  page.part("cancel").focus();
  page.part("cancel").click();
  page.part("cancel").click();
  await ended(page);
  assert.equal(page.part("state").textContent, "Cancelled");
  assert.deepEqual(page.requests.map((request) => request.method), ["DELETE"]);
  assert.equal(page.document.activeElement, page.part("state"), "the focus does not go with the button");
});

test("a cancellation that is rejected can be tried again", async () => {
  const page = await open(await submit({ duration_ms: 4000 }), {
    events: EventSource,
    fetch: (url, init) => init.method === "DELETE" ? Promise.resolve(json(503, {})) : fetch(url, init),
  });
  page.part("cancel").click();
  await until(() => page.part("refused").textContent, "a word");
  assert.equal(page.part("cancel").getAttribute("aria-disabled"), "false");
  await ended(page);
  assert.equal(page.part("refused").textContent, "");
});

test("nobody is offered to cancel who may not", async () => {
  const page = await open(await submit({ duration_ms: 500 }), { events: EventSource, change: (html) => html.replace('data-cancel="yes"', 'data-cancel="no"') });
  assert.equal(page.part("cancel").hidden, true);
  await ended(page);
});

test("a cancellation that comes after the end is no error", async () => {
  const finished = () => Promise.resolve(json(409, {}));
  const page = await open(await submit({ duration_ms: 4000 }), { events: EventSource, fetch: finished });
  page.part("cancel").click();
  await new Promise((done) => setTimeout(done, 100));
  assert.deepEqual([page.part("refused").textContent, page.part("cancel").getAttribute("aria-disabled")], ["", "true"]);
  await ended(page);
  assert.deepEqual([page.part("state").textContent, page.requests.length], ["Done", 1]);
});

test("the page says when the service is unavailable, and goes on", async () => {
  let count = 0;
  const faults = [() => Promise.reject(new TypeError("no network")), () => json(503, {}, { "Retry-After": "1" }), () => json(429, {}, { "Retry-After": "1" })];
  const page = await open(await submit({ duration_ms: 500, result: 1 }), {
    fetch: async (url, init) => count < faults.length ? faults[count++]() : fetch(url, init),
  });
  await until(() => page.part("away").textContent, "a word");
  await ended(page);
  assert.deepEqual([page.part("away").textContent, page.requests.length >= 4], ["", true]);
  const [, unavailable, limited, next] = page.requests.map((request) => request.at);
  assert.ok(limited - unavailable >= 990 && next - limited >= 990, "after each a pause");
});

test("a job that no longer exists ends the page with the reason", async () => {
  const location = await submit({ duration_ms: 500 });
  const unknown = "/jobs/0d5f1c0e-8a51-8f0b-9c6e-2f4f2f7c9a11";
  const page = await open(location, { change: (html) => html.replaceAll(location, unknown) });
  await until(() => page.document.title.startsWith("Unknown"), "the end");
  assert.deepEqual([page.part("cancel").hidden, page.requests.length], [true, 1]);
  const { detail } = await (await fetch(SERVICE + unknown)).json();
  assert.equal(page.part("state").textContent, detail);
});

test("a job that made a resource leads to it", async () => {
  for (const events of [EventSource, undefined]) {
    const page = await open(await submit({ duration_ms: 500, resource: "/reports/7" }), { events });
    await ended(page);
    await until(() => page.ways.some((way) => way.includes("navigation")), "the way");
  }
});

/** Submits the form of a command. `fill` sets its fields. */
const send = (page, command, fill = () => {}) => {
  const form = page.document.querySelector(`form[data-url="/commands/${command}"]`);
  fill(form.elements);
  form.dispatchEvent(new page.window.Event("submit", { cancelable: true }));
  return form;
};

test("each use of a form is a submission of its own, and leads to its job", async () => {
  const page = await open("/");
  assert.equal(page.document.querySelector(".origin").textContent, SERVICE);
  for (const n of [1, 2]) {
    const form = send(page, "diagnostic.run", (fields) => { fields.payload.value = '{"result":1}'; });
    assert.equal(form.elements.send.disabled, true);
    await until(() => page.ways.length === n, "the job's page");
    form.elements.send.disabled = false;
  }
  const [one, other] = page.requests.map((request) => request.headers["Idempotency-Key"]);
  assert.ok(one && other && one !== other);
  assert.equal(page.requests[0].headers["Content-Type"], "application/json");
});

test("a form says what is wrong, and can be sent again", async () => {
  const page = await open("/");
  const form = send(page, "diagnostic.run", (fields) => { fields.payload.value = '{"duration_ms":"<b>"}'; });
  const said = await until(() => form.querySelector("[role=status]").textContent, "a word");
  assert.match(said, /^.+\n\/duration_ms: /);
  assert.deepEqual([form.elements.send.disabled, page.ways], [false, []]);
});

test("a form sends a file with its type and the query", async () => {
  let sent;
  const page = await open("/", { fetch: async (url, init) => { sent = { url, ...init }; return json(202, {}, { Location: "/jobs/x" }); } });
  const file = new page.window.File(["x"], "x.png", { type: "image/png" });
  send(page, "thumbnail.create", (fields) => {
    fields.query.value = "width=200";
    Object.defineProperty(fields.file, "files", { value: [file] });
  });
  await until(() => page.ways.length > 0, "the job's page");
  assert.deepEqual([sent.url, sent.body, sent.headers["Content-Type"]], [`${SERVICE}/commands/thumbnail.create?width=200`, file, "image/png"]);
});
