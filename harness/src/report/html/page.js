"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { strings, statuses, trends, findings, causes } = data;
  const rows = data.rows.map(([name, lane, qemu, machine, cpu, status, ms, reason, command, changes, trend, since, host, flow, kernel, again]) => ({
    name: strings[name], lane: strings[lane], qemu: strings[qemu], machine: strings[machine], cpu: strings[cpu], status, ms, reason: strings[reason],
    command, again, changes, trend: trends[trend], since, host: strings[host], flow, kernel: strings[kernel],
  }));
  const worst = [1, 2, 5, 4, 3, 0];
  const natural = new Intl.Collator("en", { numeric: true }).compare;
  const escape = (text) => String(text).replace(/[&<>"]/g, (letter) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[letter]);
  const form = document.querySelector(".controls");
  const grid = document.getElementById("grid");
  let cause = null;

  const options = (name, values, all) => {
    const list = [...new Set(values)].sort(natural).map((value) => `<option>${escape(value)}</option>`);
    form.elements[name].innerHTML = (all ? `<option value="">all</option>` : "") + list.join("");
  };
  options("lane", rows.map((row) => row.lane), true);
  options("qemu", rows.map((row) => row.qemu), true);
  // The map opens where most went wrong, else where most ran.
  const start = () => {
    const counts = new Map();
    for (const { lane, qemu, status } of rows) {
      const bad = statuses[status] === "FAIL" || statuses[status] === "ERROR" || statuses[status] === "MISS";
      const key = JSON.stringify([lane, qemu]), [odd, all] = counts.get(key) || [0, 0];
      counts.set(key, [odd + bad, all + 1]);
    }
    const [first] = [...counts].sort(([a, [odd, all]], [b, [more, whole]]) => more - odd || whole - all || natural(b, a));
    [form.elements.lane.value, form.elements.qemu.value] = first ? JSON.parse(first[0]) : ["", ""];
  };

  function chosen() {
    if (cause !== null) return causes[cause].map((index) => rows[index]);
    const { lane, qemu, only, find } = form.elements;
    const wanted = find.value.toLowerCase();
    let kept = rows.filter((row) => (!lane.value || row.lane === lane.value) && (!qemu.value || row.qemu === qemu.value)
      && row.cpu.toLowerCase().includes(wanted));
    if (only.value === "odd") {
      const odd = new Set(kept.filter((row) => row.status !== 0 && row.status !== 3).map((row) => row.cpu));
      kept = kept.filter((row) => odd.has(row.cpu));
    }
    return kept;
  }

  function draw() {
    const axis = form.elements.axis.value;
    const kept = chosen();
    const columns = [...new Set(kept.map((row) => row[axis] || "–"))].sort(natural);
    const cells = new Map();
    for (const row of kept) {
      if (!cells.has(row.cpu)) cells.set(row.cpu, new Map());
      const line = cells.get(row.cpu), place = row[axis] || "–", known = line.get(place);
      if (known === undefined) line.set(place, [row]);
      else known.push(row);
    }
    const worse = (list) => list.reduce((a, b) => (worst.indexOf(b.status) < worst.indexOf(a.status) ? b : a));
    const models = [...cells.keys()].sort(natural);
    const head = columns.map((name) => `<th scope="col"><span>${escape(name)}</span></th>`).join("");
    const html = [`<table role="grid" aria-label="outcomes"><thead><tr><th></th>${head}</tr></thead><tbody>`];
    for (const model of models) {
      html.push(`<tr><th scope="row">${escape(model)}</th>`);
      for (const place of columns) {
        const list = cells.get(model).get(place);
        if (!list) { html.push("<td></td>"); continue; }
        const row = worse(list), word = statuses[row.status];
        const title = escape(`${word} ${row.name}`), letter = word === "PASS" ? "" : word[0];
        html.push(`<td class="${word} ${row.trend || ""}" data-row="${rows.indexOf(row)}" tabindex="-1" title="${title}">${letter}</td>`);
      }
      html.push("</tr>");
    }
    grid.innerHTML = html.join("") + "</tbody></table>";
    grid.querySelector("td[data-row]")?.setAttribute("tabindex", "0");
    const label = cause === null ? "" : " of this cause (“whole map” shows all)";
    document.getElementById("shown").textContent = `${kept.length} cases${label}: ${models.length} models × ${columns.length}`;
  }

  // Arguments come quoted for a shell.
  const words = (command) => command.map((index) => strings[index]).join(" ");
  function flow(steps) {
    const step = ([layer, present, lost, gained]) => {
      const names = (list) => list.map((name) => escape(strings[name])).join(" ");
      const some = (list, sign, kind) => (list.length ? `<small class="${kind}">${sign}${list.length}: ${names(list)}</small>` : "");
      return `<li><b>${escape(strings[layer])}</b>${present} features${some(lost, "−", "lost")}${some(gained, "+", "gained")}</li>`;
    };
    return `<h3>Features through the layers</h3><ol class="flow" tabindex="0">${steps.map(step).join("")}</ol>`;
  }
  function open(index) {
    const row = rows[index];
    const trend = (row.trend ? `, ${row.trend}` : "") + (row.since > 1 ? `, since ${row.since} nights` : "");
    const facts = [["outcome", statuses[row.status] + trend], ["lane", row.lane], ["QEMU", row.qemu],
      ["machine type", row.machine], ["-cpu", row.cpu], ["took", `${row.ms} ms`]];
    if (row.kernel) facts.push(["kernel", row.kernel]);
    if (row.host) facts.push(["host class", row.host]);
    if (row.reason) facts.push(["reason", row.reason]);
    let html = `<dl>${facts.map(([key, value]) => `<dt>${key}</dt><dd>${escape(value)}</dd>`).join("")}</dl>`;
    if (row.changes.length) {
      const lines = row.changes.map((change) => {
        const [sentence, layer, minus, plus] = findings[change].map((word) => strings[word]);
        const del = minus ? `<del>-${escape(minus)}</del>\n` : "", ins = plus ? `<ins>+${escape(plus)}</ins>\n` : "";
        return `${escape(sentence)}   (layer ${escape(layer)})\n${del}${ins}`;
      });
      html += `<h3>Findings</h3><pre tabindex="0">${lines.join("")}</pre>`;
    }
    if (row.flow) html += flow(row.flow);
    if (row.command.length) html += `<h3>Command to paste</h3><pre class="wrap" tabindex="0" id="command">${escape(words(row.command))}</pre>`;
    const [machine, cpu] = row.again.map((index) => strings[index]);
    const again = `cpuid-fidelity dump --machine ${machine} --cpu ${cpu} --lane ${row.lane}`;
    html += `<h3>Again</h3><pre class="wrap" tabindex="0" id="again">${escape(again)}</pre>`;
    document.getElementById("case-title").textContent = row.name;
    document.getElementById("case-body").innerHTML = html;
    document.getElementById("case").showModal();
  }

  grid.addEventListener("click", (event) => {
    const cell = event.target.closest("td[data-row]");
    if (cell) open(Number(cell.dataset.row));
  });
  grid.addEventListener("keydown", (event) => {
    const cell = event.target.closest("td[data-row]");
    if (!cell) return;
    const line = cell.parentElement, lines = line.parentElement.children, down = [...lines].indexOf(line), across = cell.cellIndex;
    const to = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); open(Number(cell.dataset.row)); }
    if (!to) return;
    event.preventDefault();
    for (let y = down + to[0], x = across + to[1]; lines[y]?.cells[x]; y += to[0], x += to[1]) {
      const next = lines[y].cells[x];
      if (!next.dataset.row) continue;
      cell.tabIndex = -1; next.tabIndex = 0; next.focus();
      return;
    }
  });
  document.querySelector(".causes").addEventListener("click", (event) => {
    const button = event.target.closest("button[data-cause]");
    if (!button) return;
    cause = Number(button.dataset.cause);
    draw();
    document.getElementById("map").scrollIntoView();
    grid.querySelector("td[data-row]")?.focus({ preventScroll: true });
  });
  form.addEventListener("input", () => { cause = null; draw(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(() => { cause = null; start(); draw(); }));
  form.hidden = false;
  start();
  draw();
  document.documentElement.dataset.ready = "yes";
})();
