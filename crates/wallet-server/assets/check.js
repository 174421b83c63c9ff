// A field with data-check="ADDRESS" is judged by that address while it is typed; what it says stands in the element that
// describes the field. Without this script the field is judged when its form is sent.
"use strict";
for (const field of document.querySelectorAll("[data-check]")) {
  const says = document.getElementById(field.getAttribute("aria-describedby"));
  let waiting;
  field.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(async () => {
      const typed = field.value;
      try {
        const reply = await fetch(`${field.dataset.check}?${new URLSearchParams({ [field.name]: typed })}`);
        const text = await reply.text();
        if (reply.ok && field.value === typed) { says.innerHTML = text; }
      } catch { /* it is judged when the form is sent */ }
    }, 250);
  });
}
