//! What `cpu-data.py gather` of libvirt's tests prints: a host's leaves and MSRs, and QEMU's answers about it, in one JSON object
//! (tests/cputestdata/cpu-data.py).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::cpuid::answers::Key;
use crate::cpuid::{Reading, Table};
use crate::input::coverage::Coverage;
use crate::input::cpu::{Cpu, Input, State};
use crate::input::error::InputError;
use crate::input::format::Format;
use crate::input::malformed;
use crate::input::names::{Names, Spelling};
use crate::input::qmp_answers::answers;
use crate::input::reader::Reader;
use crate::input::text::Text;

pub const READER: Reader = Reader {
    format: Format::CpuData,
    knows: |text| text.shape.has_key("leaves"),
    read,
};

#[derive(Deserialize)]
#[serde(expecting = "what cpu-data.py gathers")]
struct Gathered {
    name: Option<String>,
    leaves: Vec<Leaf>,
    #[serde(default)]
    msr: BTreeMap<u32, u64>,
    #[serde(default)]
    model: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(expecting = "a leaf")]
struct Leaf {
    eax_in: u32,
    ecx_in: u32,
    eax: u32,
    ebx: u32,
    ecx: u32,
    edx: u32,
}

fn read(text: &Text, table: &Table) -> Result<Vec<Input>, InputError> {
    let gathered: Gathered = serde_json::from_str(&text.whole())
        .map_err(|error| malformed::json(Format::CpuData, &error))?;
    let mut inputs = vec![host(&gathered)];
    let names = Names::new(table, Spelling::Qemu);
    for answer in &gathered.model {
        let own = answers(Format::CpuData, answer, &names)
            .map_err(|problem| malformed::form(Format::CpuData, (1, 1), problem))?;
        inputs.extend(own);
    }
    Ok(inputs)
}

fn host(gathered: &Gathered) -> Input {
    let answer = |leaf: &Leaf| {
        let regs = [leaf.eax, leaf.ebx, leaf.ecx, leaf.edx];
        (Key::new(leaf.eax_in, leaf.ecx_in), regs)
    };
    let msrs = gathered.msr.iter();
    let cpu = Cpu {
        answers: gathered.leaves.iter().map(answer).collect(),
        msrs: msrs
            .map(|(index, value)| (*index, Reading::Value(*value)))
            .collect(),
        ..Cpu::default()
    };
    Input {
        title: gathered.name.clone(),
        cpus: vec![cpu],
        ..Input::new(Format::CpuData, State::Os, Coverage::Whole)
    }
}
