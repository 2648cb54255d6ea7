//! Everything that is known of a guest: it is booted, QEMU is asked, and the machine that it ran on.

use super::ask::{self, NO_ANSWER};
use crate::case::{Case, Starter};
use crate::cpuid::table::Field;
use crate::evidence::Evidence as Layers;
use crate::explain::sources::{Guest, Sources, Unseen};
use crate::explain::{LayerRow, Tables, layers, read, verdict};
use crate::host::Found;
use crate::lanes::Broken;
use crate::lanes::gather::{add_machine, of_guest};
use crate::lanes::linux::lane::bare_metal;
use crate::run::engine::Engine;
use crate::vmm::Options;

/// The tables that features are read with.
pub fn tables(engine: &Engine) -> Tables<'_> {
    Tables {
        features: &engine.bench.store.table,
        linux: &engine.bench.store.linux,
    }
}

/// The rows of one feature, and what they come to.
pub fn explain(engine: &Engine, sources: &Sources, field: &Field) -> (Vec<LayerRow>, String) {
    let rows = layers(&read(sources, tables(engine), field));
    let verdict = verdict(&rows);
    (rows, verdict)
}

/// Asks every layer: boots the guest of `case`, and has QEMU expand its model.
pub fn gather(engine: &Engine, case: &Case) -> Sources {
    // What stands above the guest's kernel is the same without one, and QEMU can be asked there.
    let bare = case.linux.is_some().then(|| bare_metal(case));
    let above = bare.as_ref().unwrap_or(case);
    let pool = engine.bench.pool();
    let ((seen, mut unseen), mut asked) =
        pool.install(|| rayon::join(|| guest(engine, above), || ask::ask(engine, above)));
    if unseen.is_some() {
        asked.leave_out_reasons();
    }
    let store = &engine.bench.store;
    let linux = case
        .linux
        .is_some()
        .then(|| linux(engine, case, &mut unseen));
    let libvirt = case.run_as.starter == Starter::Libvirt;
    Sources {
        guest: described(above, asked.resolved),
        lines: seen.guest_lines(&store.table, &store.volatile),
        layers: seen,
        unseen,
        names: asked.names,
        versions: asked.versions,
        with_owners: asked.with_owners,
        on_machine: asked.on_machine,
        under_kvm: asked.under_kvm,
        with_flags: asked.with_flags,
        without: asked.without,
        unmigratable: asked.unmigratable,
        tcg: asked.tcg,
        cpu_map: libvirt.then(|| engine.bench.libvirt.map()),
        linux,
    }
}

fn described(case: &Case, resolved: String) -> Guest {
    Guest {
        lane: case.lane,
        run_as: case.run_as,
        machine: case.machine.clone(),
        cpu: case.cpu.clone(),
        model: case.model().to_owned(),
        resolved,
        version: case.qemu.offers.version.clone(),
        release: case.qemu.offers.release(),
    }
}

/// All layers of a Linux guest.
fn linux(engine: &Engine, case: &Case, unseen: &mut Option<Unseen>) -> Result<Layers, String> {
    let gathered = engine.gather(case);
    if let Some(Err(broken)) = gathered.guest.as_deref() {
        unseen.get_or_insert_with(|| why_unseen(broken));
    }
    gathered.evidence.map_err(|error| error.to_string())
}

/// The guest with QEMU's answers and the machine that it ran on; what is missing is unknown to whoever reads it.
fn guest(engine: &Engine, case: &Case) -> (Layers, Option<Unseen>) {
    let options = Options {
        view: !case.run_as.forced_features,
        ..engine.bench.options.clone()
    };
    let (mut layers, unseen) = match engine.boot(case, &options) {
        Ok(seen) => (of_guest(case, &seen), None),
        Err(broken) => (Layers::new(case), Some(why_unseen(&broken))),
    };
    if case.uses_kvm() {
        add_machine(&engine.bench, case, &mut layers);
    }
    if let (Some(_), Found::Unreadable(reason)) = (&unseen, &mut layers.kvm) {
        NO_ANSWER.clone_into(reason);
    }
    (layers, unseen)
}

fn why_unseen(broken: &Broken) -> Unseen {
    Unseen {
        kind: broken.kind,
        reason: broken.reason.clone(),
    }
}
