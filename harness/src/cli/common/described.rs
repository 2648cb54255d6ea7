//! What was named, described.

use cpuid_fidelity::describe::{Description, describe};
use cpuid_fidelity::input::Input;

use super::subject::Subject;
use crate::cli::context::Context;

/// Each dump of it.
pub fn descriptions(context: &Context, subject: &Subject) -> Vec<Description> {
    let store = &context.store;
    let inputs = (1..).zip(&subject.inputs);
    let describe = |(number, input): (usize, &Input)| {
        describe(
            &title(subject, number, input),
            input,
            &store.table,
            &store.levels,
        )
    };
    inputs.map(describe).collect()
}

fn title(subject: &Subject, number: usize, input: &Input) -> String {
    let own = input.title.as_deref().filter(|own| *own != subject.title);
    let own = own.map(|own| format!(": {own}")).unwrap_or_default();
    let format = if subject.is_file {
        format!(" ({})", input.format)
    } else {
        String::new()
    };
    let part = if subject.inputs.len() > 1 {
        format!("#{number}")
    } else {
        String::new()
    };
    format!("{}{part}{format}{own}", subject.title)
}
