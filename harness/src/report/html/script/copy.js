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

// Lines break between arguments, and not between an option and its value; a `-` alone is a value.
const isOption = (word) => word.length > 1 && word.startsWith("-");
const phrases = (list) => list.reduce((all, word) => {
  const goesOn = all.length > 0 && isOption(all.at(-1)) && !isOption(word);
  return goesOn ? [...all.slice(0, -1), `${all.at(-1)} ${word}`] : [...all, word];
}, []);
const words = (list) => phrases(list).map((phrase) => `<span>${escape(phrase)}</span>`).join(" ");
const commandBlock = (title, list, id) => `<h3>${title}</h3><div class="command"><pre tabindex="0" id="${id}">${words(list)}</pre>`
  + `<button type="button" data-copy>copy</button></div>`;
