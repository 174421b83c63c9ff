// The parts of every page that move. Each page works without this script.
"use strict";

// A field with data-check="ADDRESS" is judged by that address while it is typed; the verdict is shown in the element with
// the id in data-verdict. Without this script the field is judged when its form is sent.
for (const field of document.querySelectorAll("[data-check]")) {
  const says = document.getElementById(field.dataset.verdict);
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

// A page that answers a form is at the address of what it shows, so that a reload does not send the form again.
const shown = document.querySelector("[data-address]");
if (shown) { history.replaceState(null, "", shown.dataset.address); }

// Each program of a document can be copied.
const copy = document.documentElement.lang === "en" ? "Copy" : "复制";
for (const pre of document.querySelectorAll(".document pre")) {
  const box = document.createElement("div");
  box.className = "code";
  pre.replaceWith(box);
  box.append(pre);
  box.insertAdjacentHTML("beforeend", `<button type="button" class="copy" hidden data-copy>${copy}</button>`);
}

// A button with data-copy copies the text of the code beside it.
for (const button of document.querySelectorAll("[data-copy]")) {
  const code = button.parentElement.querySelector("code, pre");
  if (!code || !navigator.clipboard) { continue; }
  button.hidden = false;
  button.addEventListener("click", async () => {
    const words = button.textContent;
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "✓";
    setTimeout(() => { button.textContent = words; }, 1200);
  });
}

// Programs in several languages: the chosen one is open, here and on the next page.
const languages = [...document.querySelectorAll("details[data-language]")];
const remembered = localStorage.getItem("language");
const choose = (name) => {
  for (const one of languages) { one.open = one.dataset.language === name; }
};
if (languages.some((one) => one.dataset.language === remembered)) { choose(remembered); }
for (const one of languages) {
  one.querySelector("summary").addEventListener("click", (event) => {
    event.preventDefault();
    const name = one.open ? "" : one.dataset.language;
    if (name) { localStorage.setItem("language", name); }
    choose(name);
  });
}

// A table that is wider than the page scrolls by the keyboard too.
const reach = () => {
  for (const box of document.querySelectorAll(".scroll")) {
    if (box.scrollWidth > box.clientWidth) { box.tabIndex = 0; } else { box.removeAttribute("tabindex"); }
  }
};
reach();
addEventListener("resize", reach);

// The main navigation is one stop of the Tab key; the arrow keys move within it.
const bar = [...document.querySelectorAll(".bar nav a")];
const stop = (at) => {
  bar.forEach((link, index) => { link.tabIndex = index === at ? 0 : -1; });
};
stop(Math.max(0, bar.findIndex((link) => link.hasAttribute("aria-current"))));
for (const [at, link] of bar.entries()) {
  link.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const next = event.key === "Home" ? 0 : event.key === "End" ? bar.length - 1 : at + step;
    if (bar[next]) { event.preventDefault(); stop(next); bar[next].focus(); }
  });
}
