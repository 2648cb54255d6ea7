// The heat map: a row a model, a column a machine type (or release, lane, kernel, host). Columns that do not fit stand in a further band below.
const form = document.querySelector(".controls");
const grid = document.getElementById("grid");
const map = { cause: null, cells: new Map(), width: 0 };
const CELL = 19;
const wide = (width) => width >= 700;

const options = (name, values) => {
  const list = [...new Set(values)].sort(natural).map((value) => `<option>${escape(value)}</option>`);
  form.elements[name].innerHTML = `<option value="">all</option>${list.join("")}`;
};

// The map opens where most went wrong, on what went wrong; where nothing did, where most ran, on all.
function startMap() {
  const counts = new Map();
  for (const { lane, qemu, status } of rows) {
    const key = JSON.stringify([lane, qemu]), [odd, all] = counts.get(key) || [0, 0];
    counts.set(key, [odd + isBad(status), all + 1]);
  }
  const [first] = [...counts].sort(([a, [odd, all]], [b, [more, whole]]) => more - odd || whole - all || natural(b, a));
  [form.elements.lane.value, form.elements.qemu.value] = first ? JSON.parse(first[0]) : ["", ""];
  form.elements.only.value = rows.some((row) => isBad(row.status)) ? "odd" : "all";
}

function chosen() {
  if (map.cause !== null) return causes[map.cause].map((index) => rows[index]);
  const { lane, qemu, only, find } = form.elements;
  const wanted = find.value.toLowerCase();
  const kept = rows.filter((row) => (!lane.value || row.lane === lane.value) && (!qemu.value || row.qemu === qemu.value)
    && row.cpu.toLowerCase().includes(wanted));
  if (only.value !== "odd") return kept;
  const odd = new Set(kept.filter((row) => isBad(row.status)).map((row) => row.cpu));
  return kept.filter((row) => odd.has(row.cpu));
}

const worse = (list) => list.reduce((a, b) => (WORST.indexOf(b.status) < WORST.indexOf(a.status) ? b : a));

function cellOf(list, x, y) {
  if (!list) return "<td></td>";
  const row = worse(list), word = statuses[row.status];
  map.cells.set(`${x} ${y}`, row.index);
  const title = escape(`${word} ${row.name}`), letter = row.status === PASS ? "" : word[0];
  return `<td class="${word} ${row.trend || ""}" data-row="${row.index}" data-at="${x} ${y}" tabindex="-1" title="${title}">${letter}</td>`;
}

function bandOf(models, byModel, columns, from, flat) {
  const head = columns.map((name) => `<th scope="col"><span>${escape(name)}</span></th>`).join("");
  const body = models.map((model, y) => {
    const line = byModel.get(model);
    return `<tr><th scope="row">${escape(model)}</th>${columns.map((name, x) => cellOf(line.get(name), from + x, y)).join("")}</tr>`;
  });
  const most = `calc(var(--head) + ${columns.length} * ${flat ? 9 : 4}rem)`;
  return `<table role="grid" aria-label="outcomes" class="${flat ? "flat" : ""}" style="max-width:${most}"><colgroup><col class="head">`
    + `<col span="${columns.length}"></colgroup><thead><tr><td></td>${head}</tr></thead><tbody>${body.join("")}</tbody></table>`;
}

// As many equal bands as it takes for every column head to be whole and nothing to scroll sideways.
function bandsOf(columns, width) {
  const room = Math.max(1, Math.floor((width - (wide(width) ? 210 : 120)) / CELL));
  const size = Math.ceil(columns.length / Math.ceil(columns.length / room));
  const bands = [];
  for (let from = 0; from < columns.length; from += size) bands.push([from, columns.slice(from, from + size)]);
  return bands;
}

function draw(width = grid.clientWidth || 900) {
  map.width = width;
  map.cells.clear();
  const axis = form.elements.axis.value, kept = chosen(), byModel = new Map();
  for (const row of kept) {
    if (!byModel.has(row.cpu)) byModel.set(row.cpu, new Map());
    const line = byModel.get(row.cpu), place = row[axis] || "–", known = line.get(place);
    if (known) known.push(row); else line.set(place, [row]);
  }
  const columns = [...new Set(kept.map((row) => row[axis] || "–"))].sort(natural);
  const models = [...byModel.keys()].sort(natural);
  const flat = wide(width) && columns.length * 130 < width - 210;
  grid.innerHTML = bandsOf(columns, width).map(([from, band]) => bandOf(models, byModel, band, from, flat)).join("");
  grid.querySelector("td[data-row]")?.setAttribute("tabindex", "0");
  const label = map.cause === null ? "" : " of this cause (“start again” shows the others)";
  const hidden = map.cause === null && form.elements.only.value === "odd" ? "; models that are as expected are not shown" : "";
  const count = (list, one) => `${list.length} ${one}${list.length === 1 ? "" : "s"}`;
  document.getElementById("shown").textContent = `${count(kept, "case")}${label}: ${count(models, "model")} × ${count(columns, "column")}${hidden}`;
}

// The next cell that way, across bands; places without a case are passed over.
function next(at, [right, down]) {
  let [x, y] = at.split(" ").map(Number);
  const all = [...map.cells.keys()].map((key) => key.split(" ").map(Number));
  const most = [Math.max(...all.map(([x]) => x)), Math.max(...all.map(([, y]) => y))];
  for (x += right, y += down; x >= 0 && y >= 0 && x <= most[0] && y <= most[1]; x += right, y += down) {
    if (map.cells.has(`${x} ${y}`)) return grid.querySelector(`[data-at="${x} ${y}"]`);
  }
  return null;
}

grid.addEventListener("click", (event) => {
  const cell = event.target.closest("td[data-row]");
  if (cell) openCase(Number(cell.dataset.row));
});
grid.addEventListener("keydown", (event) => {
  const cell = event.target.closest("td[data-row]");
  if (!cell) return;
  const way = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key];
  if (event.key === "Enter" || event.key === " ") { event.preventDefault(); openCase(Number(cell.dataset.row)); }
  if (!way) return;
  event.preventDefault();
  const to = next(cell.dataset.at, way);
  if (!to) return;
  cell.tabIndex = -1; to.tabIndex = 0; to.focus();
});
