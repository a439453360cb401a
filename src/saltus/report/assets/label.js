"use strict";
// Keys for the labelling pages. Everything works without them: answers are forms, moves are links.
const answers = [...document.querySelectorAll(".answers button")];
let sent = false;

for (const form of document.forms) {
  form.addEventListener("submit", (event) => {
    if (sent && form.method === "post") event.preventDefault(); // a second press before the next page is there
    sent = true;
  });
}
addEventListener("pageshow", () => { sent = false; });

function focusPanel() {
  const field = document.querySelector(".panel:target input:not([type=hidden])");
  if (field) field.focus();
}
addEventListener("hashchange", focusPanel);
focusPanel();

function step(by) {
  const at = answers.indexOf(document.activeElement);
  const start = at < 0 && by < 0 ? 0 : at;
  answers[(start + by + answers.length) % answers.length].focus();
}

addEventListener("keydown", (event) => {
  // A key that is held down must not label the items that follow.
  if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") {
    location.hash = "main";
    if (document.activeElement) document.activeElement.blur();
    return;
  }
  if (event.target.matches("input, textarea")) return;
  const answer = answers.find((button) => button.dataset.key === event.key);
  const press = [...document.querySelectorAll("[data-press]")].find((one) => one.dataset.press === event.key);
  if (answer) answer.click();
  else if (press) press.click();
  else if (answers.length && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
    if (event.target.matches("pre")) return; // which scrolls
    step(event.key === "ArrowDown" ? 1 : -1);
  } else return;
  event.preventDefault();
});
