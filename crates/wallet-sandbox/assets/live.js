// The live parts: an element with data-live="ADDRESS" follows that address, whose events carry its text whenever it changes,
// and an element with data-until="SECONDS" counts down. Without this script pages are as they were when they were made.
"use strict";
const show = (part, text) => {
  if (text === part.shown) { return; }
  // Nothing is taken from under a reader's hands.
  if (part.querySelector("details[open]") || part.contains(document.activeElement)) {
    part.later = text;
    return;
  }
  part.innerHTML = text;
  part.shown = text;
  part.later = undefined;
  const title = part.querySelector("[data-title]");
  if (title) { document.title = `${title.dataset.title} · wallop`; }
  const onward = part.querySelector("[data-go]");
  if (onward) { setTimeout(() => location.assign(onward.dataset.go), 700); }
};
for (const part of document.querySelectorAll("[data-live]")) {
  // Only while the page is seen: browsers allow a host few connections.
  let events;
  const follow = () => {
    if (document.hidden) {
      events?.close();
      events = undefined;
    } else if (!events) {
      events = new EventSource(part.dataset.live);
      events.addEventListener("message", (event) => show(part, event.data));
    }
  };
  follow();
  document.addEventListener("visibilitychange", follow);
  addEventListener("pageshow", follow);
  addEventListener("pagehide", () => { events?.close(); events = undefined; });
  setInterval(() => { if (part.later !== undefined) { show(part, part.later); } }, 1000);
}
for (const part of document.querySelectorAll("[data-until]")) {
  let left = Number(part.dataset.until);
  const tick = () => {
    part.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    if (left > 0) { left -= 1; setTimeout(tick, 1000); }
  };
  tick();
}
