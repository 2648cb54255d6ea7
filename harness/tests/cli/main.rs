//! The command line against real QEMU binaries, and against wrapper scripts in QEMU's place that do what broken ones do.
//!
//! Each test has a folder of its own with a configuration, expectations recorded there from the unwrapped QEMU, and a
//! cache. What a test needs of the machine it asks for with `require`: without it the test is skipped, and under CI it fails.

#[macro_use]
#[allow(dead_code, reason = "each test program needs another part of it")]
#[path = "../support/require.rs"]
mod require;

mod agree;
mod bad_input;
mod behaviour;
mod behaviour_labs;
mod bisect;
mod broken_qemu;
mod broken_qmp;
mod browser;
mod compared;
mod compat;
mod corpus;
mod cut_results;
mod described;
mod docs;
mod domain;
mod dumps;
mod events;
mod explain;
mod files;
mod findings;
mod fleet;
mod fleet_hosts;
mod fleet_libvirt;
mod fleet_moves;
mod fleet_screen;
mod fleet_tables;
mod headings;
mod help;
mod hostile;
mod identity;
mod interrupt;
mod lab;
mod large;
mod layers;
mod levels;
mod libvirt;
mod libvirt_recorded;
mod libvirts;
mod linux;
mod lost_output;
mod migrate;
mod names;
mod nightly_parts;
mod no_firmware;
mod oracle;
mod ordinary_user;
mod orphans;
mod output;
mod package;
mod pasted;
mod pasted_kernels;
mod pipes;
mod promise;
mod pty;
mod recipes;
mod release_day;
mod reproductions;
mod rerun;
mod results;
mod setup;
mod show;
mod signals;
mod skipped;
mod supply;
mod terminal;
mod topology;
mod two_at_once;
mod version;
mod vmx;
mod world;
