// Submits a command by its form, then opens the page of the job. Texts of the service are inserted as text.
for (const url of document.querySelectorAll(".origin")) {
  url.textContent = location.origin + url.dataset.base;
}
for (const form of document.querySelectorAll("form")) {
  const said = form.querySelector("[role=status]");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const file = form.elements.file?.files[0];
    const query = form.elements.query?.value ?? "";
    const headers = { "Idempotency-Key": crypto.randomUUID?.() ?? String(Date.now()) + Math.random() };
    headers["Content-Type"] = file ? file.type || "application/octet-stream" : "application/json";
    form.elements.send.disabled = true;
    said.textContent = "";
    try {
      const response = await fetch(form.dataset.url + (query && "?" + query), {
        method: "POST",
        headers,
        body: file ?? form.elements.payload?.value ?? "",
      });
      if (response.ok) {
        location.assign(response.headers.get("Location") ?? (await response.json()).links.self);
        return;
      }
      const problem = await response.json();
      const errors = (problem.errors ?? []).map((error) => error.pointer + ": " + error.detail);
      said.textContent = [problem.detail, ...errors].join("\n");
    } catch {
      said.textContent = "The response can't be read. Try again.";
    }
    form.elements.send.disabled = false;
  });
}
