// The live parts: an element with data-live="ADDRESS" is filled again from that address every second and a half, and an
// element with data-until="SECONDS" counts down. Without this script pages are as they were when they were made.
"use strict";
for (const part of document.querySelectorAll("[data-live]")) {
  let shown = part.innerHTML;
  const look = async () => {
    try {
      // Nothing is taken from under a reader's hands.
      if (!document.hidden && !part.querySelector("details[open]") && !part.contains(document.activeElement)) {
        const reply = await fetch(part.dataset.live, { headers: { "x-live": "1" } });
        if (reply.ok) {
          const text = await reply.text();
          if (text !== shown) {
            part.innerHTML = text;
            shown = text;
            const title = part.querySelector("[data-title]");
            if (title) { document.title = `${title.dataset.title} · wallop`; }
          }
        }
      }
    } catch { /* the sandbox has stopped: what is shown stays */ }
    setTimeout(look, 1500);
  };
  setTimeout(look, 1500);
}
for (const part of document.querySelectorAll("[data-until]")) {
  let left = Number(part.dataset.until);
  const tick = () => {
    part.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    if (left > 0) { left -= 1; setTimeout(tick, 1000); }
  };
  tick();
}
