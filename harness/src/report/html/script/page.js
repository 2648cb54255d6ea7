// What makes the page one: a cause narrows the map, the form widens it, paper gets a map that fits.
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-cause]");
  if (!button) return;
  map.cause = Number(button.dataset.cause);
  draw();
  document.getElementById("map").scrollIntoView();
  grid.querySelector("td[data-row]")?.focus({ preventScroll: true });
});
form.addEventListener("input", () => { map.cause = null; draw(); });
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", () => setTimeout(() => { map.cause = null; startMap(); draw(); }));
addEventListener("resize", () => { if (grid.clientWidth !== map.width) draw(); });
addEventListener("beforeprint", () => draw(680));
addEventListener("afterprint", () => draw());

options("lane", rows.map((row) => row.lane));
options("qemu", rows.map((row) => row.qemu));
form.hidden = rows.length === 0;
document.querySelectorAll(".scripted").forEach((button) => { button.hidden = false; });
startMap();
draw();
document.documentElement.dataset.ready = "yes";
