// What the page does without asking the server's handlers: opens places, posts what buttons say, moves along strips.
// Words of documents become text nodes only; nothing here parses them as markup.
"use strict";

const API = "api/v1/documents/";
const make = (tag, fields = {}, ...children) => {
  const made = Object.assign(document.createElement(tag), fields);
  made.append(...children);
  return made;
};

// The viewer: one page of one document, as a picture where there is one, else as text with its place marked.
const viewer = (() => {
  const title = make("h2", {id: "hmt-viewer-title"});
  const shown = make("div", {className: "hmt-viewer-page", tabIndex: 0});
  const back = make("button", {type: "button", className: "hmt-act", textContent: "Previous page"});
  const on = make("button", {type: "button", className: "hmt-act", textContent: "Next page"});
  const text = make("button", {type: "button", className: "hmt-act", textContent: "As text"});
  const close = make("button", {type: "button", className: "hmt-act", textContent: "Close"});
  const bar = make("div", {className: "hmt-viewer-bar"}, back, on, text, close);
  const dialog = make("dialog", {className: "hmt-viewer"}, title, bar, shown);
  dialog.setAttribute("aria-labelledby", "hmt-viewer-title");
  let at = {};
  let facts = {};

  const problem = (words) => shown.replaceChildren(make("p", {className: "hmt-notice hmt-bad", textContent: words}));

  const asText = async (place) => {
    const answer = await fetch(`${API}${place.document}/pages/${place.page}`);
    const page = await answer.json();
    if (place !== at) return;
    if (!answer.ok) return problem(page.detail);
    const [start, end] = [place.start - page.char_start, place.end - page.char_start];
    const letters = [...page.text]; // the server counts code points
    const cut = (from, to) => letters.slice(Math.max(from, 0), Math.max(to, 0)).join("");
    const words = make("pre", {}, cut(0, start));
    if (end > start) words.append(make("mark", {textContent: cut(start, end)}));
    words.append(cut(Math.max(end, start), letters.length));
    const lines = /^lines? (\d+)/.exec(page.page_label);
    shown.replaceChildren(lines ? numbered(words, Number(lines[1])) : words);
    shown.querySelector("mark")?.scrollIntoView({block: "center"});
  };

  const numbered = (words, first) => {
    const count = words.textContent.replace(/\n$/, "").split("\n").length;
    const numbers = Array.from({length: count}, (_, index) => first + index).join("\n");
    const gutter = make("pre", {className: "hmt-gutter", textContent: numbers});
    gutter.setAttribute("aria-hidden", "true");
    return make("div", {className: "hmt-code"}, gutter, words);
  };

  const asPicture = (place) => {
    const picture = make("img", {alt: `Page ${place.page} of ${facts.title}`});
    picture.addEventListener("error", () => place === at && asText(place));
    picture.src = `${API}${place.document}/pages/${place.page}/picture?start=${place.start}&end=${place.end}`;
    shown.replaceChildren(picture);
  };

  const show = (place) => {
    at = place;
    title.textContent = `${facts.title}, page ${place.page} of ${facts.pages}`;
    back.disabled = place.page <= 1;
    on.disabled = place.page >= facts.pages;
    const pictures = facts.media_type === "application/pdf";
    text.hidden = !pictures;
    if (pictures) asPicture(place);
    else asText(place);
  };

  back.addEventListener("click", () => show({...at, page: at.page - 1}));
  on.addEventListener("click", () => show({...at, page: at.page + 1}));
  text.addEventListener("click", () => asText(at));
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft" && !back.disabled) back.click();
    if (event.key === "ArrowRight" && !on.disabled) on.click();
  });

  return async (place) => {
    if (!dialog.isConnected) document.querySelector(".gradio-container").append(dialog);
    const answer = await fetch(API + place.document);
    facts = await answer.json();
    if (!dialog.open) dialog.showModal();
    if (answer.ok) return show(place);
    title.textContent = "Not there";
    problem(facts.detail);
  };
})();

// A button with data-post: post it, and say so where that did not work. The page's own timer shows what came of it.
const post = async (button) => {
  button.disabled = true;
  const {post: path, file} = button.dataset;
  const body = file ? {headers: {"Content-Type": "application/json"}, body: JSON.stringify({file})} : {};
  const answer = await fetch(path, {method: "POST", ...body});
  if (answer.ok) return;
  button.disabled = false;
  const {detail} = await answer.json();
  button.after(make("span", {className: "hmt-note", textContent: detail, role: "alert"}));
};

// A whole folder: the browser asks for it, and its files are sent under their paths in it. What no reader enters stays here.
const NEVER = new Set([".git", ".hg", ".svn", ".venv", "node_modules", "__pycache__"]);
const sendFolder = (button) => {
  const chosen = make("input", {type: "file", multiple: true, webkitdirectory: true});
  chosen.addEventListener("change", async () => {
    const files = [...chosen.files].filter((file) => !file.webkitRelativePath.split("/").some((part) => NEVER.has(part)));
    const form = new FormData();
    if (button.dataset.collection) form.append("collection", button.dataset.collection);
    for (const file of files) form.append("file", file, file.webkitRelativePath);
    say(button, `Sending ${files.length} files …`);
    button.disabled = true;
    const answer = await fetch("api/v1/folders", {method: "POST", body: form}).catch(() => null);
    button.disabled = false;
    const told = answer ? await answer.json() : {detail: "The folder could not be sent."};
    say(button, answer?.ok ? taken(told) : `${told.detail} ${told.remedy ?? ""}`);
  });
  chosen.click();
};
const taken = ({name, files, left_out: leftOut}) => {
  const known = files.filter((file) => file.known).length;
  const reasons = Object.entries(leftOut).map(([path, why]) => `${path} (${why})`);
  const out = reasons.length ? ` Left out: ${reasons.slice(0, 5).join("; ")}${reasons.length > 5 ? " …" : "."}` : "";
  return `${name}: ${files.length - known} files are read${known ? `, ${known} are known already` : ""}.${out}`;
};
const say = (button, words) => {
  button.parentElement.querySelector("[role=status]")?.remove();
  button.parentElement.append(make("p", {className: "hmt-notice", textContent: words, role: "status"}));
};

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.id === "folder") sendFolder(button);
  if (button.dataset.post) post(button);
  if (button.dataset.document) {
    const {document: id, page, start = 0, end = 0} = button.dataset;
    viewer({document: id, page: Number(page), start: Number(start), end: Number(end)});
  }
});

// Arrow keys lead along a strip; Tab stops at one cell of it.
document.addEventListener("keydown", (event) => {
  const cell = event.target.closest?.(".hmt-cell");
  if (!cell) return;
  const cells = [...cell.parentElement.children];
  const here = cells.indexOf(cell);
  const next = {ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: cells.length - 1}[event.key];
  if (next === undefined || !cells[next]) return;
  event.preventDefault();
  cell.tabIndex = -1;
  cells[next].tabIndex = 0;
  cells[next].focus();
});

// The list of jobs is drawn anew while files are read: who stands on a button of it with the keyboard stays there.
let standing = "";
document.addEventListener("focusin", (event) => (standing = event.target.dataset?.post ?? ""));
new MutationObserver(() => {
  if (standing && document.activeElement === document.body) {
    document.querySelector(`[data-post="${CSS.escape(standing)}"]`)?.focus();
  }
}).observe(document.documentElement, {childList: true, subtree: true});
