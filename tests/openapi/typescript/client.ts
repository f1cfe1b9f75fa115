// A client of the demo, with types that openapi-typescript generated from the document that the service serves.
import createClient from "openapi-fetch";
import type { paths, components } from "./schema.js";

const client = createClient<paths>({ baseUrl: process.argv[2] });

const submitted = await client.POST("/commands/diagnostic.run", {
  params: { header: { "Idempotency-Key": "typescript-1" } },
  body: { duration_ms: 10, result: "hello" },
});
if (submitted.data === undefined) {
  throw new Error(submitted.error?.detail);
}
const accepted: components["schemas"]["Job"] = submitted.data;

const polled = await client.GET("/jobs/{id}", {
  params: { path: { id: accepted.id }, header: { Prefer: "wait=20" } },
});
// The page of a job is a text; its document is an object.
const job = typeof polled.data === "object" ? polled.data : undefined;
if (job?.status !== "succeeded" || job.result !== "hello") {
  throw new Error(JSON.stringify(polled.data ?? polled.error));
}

const rejected = await client.POST("/commands/diagnostic.run", {
  params: { header: {} },
  body: { duration_ms: -1 },
});
if (rejected.error?.code !== "invalid-payload") {
  throw new Error(JSON.stringify(rejected));
}
// @ts-expect-error: the type of a member is checked.
const wrong: paths["/commands/diagnostic.run"]["post"]["requestBody"]["content"]["application/json"] = { duration_ms: "long" };
void wrong;
console.log(`job ${accepted.id} succeeded`);
