//! `libvirt policies`: every `check`, `match` and `policy` of a domain's CPU tried.

use anyhow::Context as _;
use clap::Args;
use cpuid_fidelity::run::libvirt::policies;

use crate::cli::common::exit::{NOT_RUN, NotRun, print_line};
use crate::cli::common::libvirt::{drives, print_unexpected, ready};
use crate::cli::common::qemu::one_qemu;
use crate::cli::context::Context;

/// `libvirt policies`.
#[derive(Debug, Args)]
pub struct Policies {
    /// Print only what the expectation of this libvirt does not have (`+`), or has and is gone (`-`); exit status 1 where there is any
    #[arg(long)]
    check: bool,
}

/// Prints the table; the exit status.
pub fn run(context: &Context, arguments: &Policies) -> anyhow::Result<u8> {
    let engine = ready(context)?;
    let qemu = one_qemu(&context.inventory()?)?;
    let case = policies::case(&qemu);
    let case = case.with_context(|| format!("{} has no versioned machine type", qemu.label))?;
    drives(&engine, &case)?;
    let lines = policies::table(&engine, &case);
    if !arguments.check {
        lines.iter().for_each(|line| print_line(&line.to_string()));
        return Ok(u8::from(lines.iter().any(|line| line.contains("ERROR"))) * NOT_RUN);
    }
    let version = engine.bench.libvirt.version().map_err(NotRun)?;
    let path = policies::expectation(&version, &case.qemu);
    let differs = print_unexpected(context, &path, &lines)?;
    Ok(u8::from(differs))
}
