//! `libvirt`: its files and its answers, held against QEMU's definitions and against guests.

use clap::{Args, Subcommand};

use super::{answers, diff, maps, policies};
use crate::cli::context::Context;

/// `libvirt`.
#[derive(Debug, Args)]
pub struct Libvirt {
    #[command(subcommand)]
    about: About,
}

#[derive(Debug, Subcommand)]
enum About {
    /// Compare libvirt's files of features and models with the recorded definitions of each QEMU; nothing is started
    Maps(maps::Maps),
    /// Ask libvirt what schedulers ask it, and try each answer in a guest: usable models, host-model, baselines, comparisons
    Answers(answers::Answers),
    /// Try every `check`, `match` and `policy` of a domain's CPU, and print what each did
    Policies(policies::Policies),
    /// Compare two libvirts: names of features, models, options of virsh, and what each answers about each QEMU
    Diff(diff::Diff),
}

/// Does what is asked; the exit status.
pub fn run(context: &Context, arguments: &Libvirt) -> anyhow::Result<u8> {
    match &arguments.about {
        About::Maps(arguments) => maps::run(context, arguments),
        About::Answers(arguments) => answers::run(context, arguments),
        About::Policies(arguments) => policies::run(context, arguments),
        About::Diff(arguments) => diff::run(context, arguments),
    }
}
