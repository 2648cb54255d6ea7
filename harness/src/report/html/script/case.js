// A case in a dialog.
const diffOf = (changes) => changes.map((change) => {
  const [sentence, layer, minus, plus] = findings[change].map((index) => strings[index]);
  const del = minus ? `<del>-${escape(minus)}</del>` : "", ins = plus ? `<ins>+${escape(plus)}</ins>` : "";
  return `<span>${escape(sentence)} (layer ${escape(layer)})</span>${del}${ins}`;
}).join("");

const flowOf = (steps) => {
  const step = ([layer, present, lost, gained]) => {
    const names = (list) => list.map((name) => escape(strings[name])).join(" ");
    const some = (list, sign, kind) => (list.length ? `<small class="${kind}">${sign}${list.length}: ${names(list)}</small>` : "");
    return `<li><b>${escape(strings[layer])}</b>${present} features${some(lost, "−", "lost")}${some(gained, "+", "gained")}</li>`;
  };
  return `<h3>Features through the layers</h3><ol class="flow">${steps.map(step).join("")}</ol>`;
};

const factsOf = (row) => {
  const trend = (row.trend ? `, ${row.trend}` : "") + (row.since > 1 ? `, since ${row.since} nights` : "");
  const facts = [["outcome", statuses[row.status] + trend], ["lane", row.lane], ["QEMU", row.qemu],
    ["machine type", row.machine], ["-cpu", row.cpu], ["took", `${row.ms} ms`],
    ["kernel", row.kernel], ["host class", row.host], ["reason", row.reason]];
  const lines = facts.filter(([, value]) => value).map(([key, value]) => `<dt>${key}</dt><dd>${escape(value)}</dd>`);
  return `<dl>${lines.join("")}</dl>`;
};

function openCase(index) {
  const row = rows[index];
  let html = factsOf(row);
  if (row.changes.length) html += `<h3>Findings</h3><pre class="diff" tabindex="0">${diffOf(row.changes)}</pre>`;
  if (row.again.length) html += commandBlock("Reproduce", command(row.again), "again");
  if (row.qemuCommand.length) html += commandBlock("QEMU alone", command(row.qemuCommand), "command");
  if (row.flow) html += flowOf(row.flow);
  document.getElementById("case-title").textContent = row.name;
  document.getElementById("case-body").innerHTML = html;
  document.getElementById("case").showModal();
}
