"use strict";
// The cases, unpacked: strings.rs and data.rs pack them.
const data = JSON.parse(document.getElementById("data").textContent);
const { strings, statuses, trends, findings, flows, causes } = data;
const PASS = statuses.indexOf("PASS");
const WORST = ["FAIL", "ERROR", "MISS", "WAIVED", "SKIP", "PASS"].map((name) => statuses.indexOf(name));
const isBad = (status) => WORST.indexOf(status) < 3;

// A command is the first one of its group with other arguments in some places; arguments come quoted for a shell.
const command = ([number, ...other]) => {
  if (number === undefined) return [];
  const all = [...data.commands[number]];
  for (let at = 0; at < other.length; at += 2) all[other[at]] = other[at + 1];
  return all.map((index) => strings[index]);
};

const rows = data.rows.map(([name, lane, qemu, machine, cpu, status, ms, reason, qemuCommand, changes, trend, since, host, flow, kernel, again], index) => {
  const row = { index, lane: strings[lane], qemu: strings[qemu], machine: strings[machine], cpu: strings[cpu], status, ms, reason: strings[reason],
    qemuCommand, again, changes, trend: trends[trend], since, host: strings[host], flow: flow && flows[flow - 1], kernel: strings[kernel] };
  row.name = name ? strings[name[0]] : `${row.lane}/${row.qemu}/${row.machine}/${row.cpu}`;
  return row;
});

const natural = new Intl.Collator("en", { numeric: true }).compare;
const escape = (text) => String(text).replace(/[&<>"]/g, (letter) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[letter]);
