// Buttons that copy the command beside them.
const copied = (button, good) => {
  button.textContent = good ? "copied" : "select and copy";
  button.classList.toggle("done", good);
};

// A page that came over plain HTTP has no navigator.clipboard.
const selectAndCopy = (source) => {
  const range = document.createRange();
  range.selectNodeContents(source);
  const selection = getSelection();
  selection.removeAllRanges();
  selection.addRange(range);
  return document.execCommand("copy");
};

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = button.parentElement.querySelector("pre");
  if (!navigator.clipboard) return copied(button, selectAndCopy(source));
  navigator.clipboard.writeText(source.textContent).then(() => copied(button, true), () => copied(button, selectAndCopy(source)));
});

// Lines break between arguments.
const words = (list) => list.map((word) => `<span>${escape(word)}</span>`).join(" ");
const commandBlock = (title, list, id) => `<h3>${title}</h3><div class="command"><pre tabindex="0" id="${id}">${words(list)}</pre>`
  + `<button type="button" data-copy>copy</button></div>`;
