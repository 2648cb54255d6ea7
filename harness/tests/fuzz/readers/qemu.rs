//! What QEMU answers over QMP and prints on standard error, and what the program in a lab answers.

use cpuid_fidelity::case::Offers;
use cpuid_fidelity::check::agreement::{Layers, agreement};
use cpuid_fidelity::check::finding::Layer;
use cpuid_fidelity::cpuid::Dump;
use cpuid_fidelity::evidence::QemuLayer;
use cpuid_fidelity::evidence::Warnings;
use cpuid_fidelity::host::lab::area::HEAD;
use cpuid_fidelity::host::lab::wire::{ANSWER, Answer};
use cpuid_fidelity::vmm::RawView;
use cpuid_fidelity::vmm::failure::{is_refusal_by_enforce, without_tcg_warnings};
use cpuid_fidelity::vmm::messages::Messages;
use cpuid_fidelity::vmm::monitor::{Answer as QmpAnswer, Gone, Speaks};
use serde_json::{Value, json};

use super::seeds::{TABLE, dumps, lossy, records};
use crate::execute::Reader;
use crate::mutate::Shape;

pub const READERS: &[Reader] = &[
    Reader {
        name: "qmp-offers",
        shape: Shape::Json,
        seeds: offers,
        executions: 200,
        read: read_offers,
    },
    Reader {
        name: "qmp-cpu",
        shape: Shape::Json,
        seeds: answers,
        executions: 60,
        read: read_cpu,
    },
    Reader {
        name: "qmp-lines",
        shape: Shape::Text,
        seeds: || vec![lines()],
        executions: 500,
        read: read_lines,
    },
    Reader {
        name: "qemu-stderr",
        shape: Shape::Text,
        seeds: || vec![STDERR.to_vec()],
        executions: 1000,
        read: read_stderr,
    },
    Reader {
        name: "lab-answer",
        shape: Shape::Json,
        seeds: lab_answers,
        executions: 100,
        read: read_lab,
    },
];

const STDERR: &[u8] = b"qemu-system-x86_64: warning: TCG doesn't support requested feature: CPUID.07H:EBX.avx2 [bit 5]\n\
    qemu-system-x86_64: warning: TCG doesn't support requested feature: CPUID[eax=07h,ecx=00h].EBX.avx512f [bit 16]\n\
    warning: host doesn't support requested feature: MSR(48EH).vmx-mtf [bit 27]\n\
    warning: TCG doesn't support requested feature: avx10.2.\n\
    warning: This feature depends on other features that were not requested: CPUID.0DH:EAX.xsavec [bit 1]\n\
    qemu-system-x86_64: TCG doesn't support requested features\n";

fn offers() -> Vec<Vec<u8>> {
    let version = json!({"qemu": {"major": 10, "minor": 0, "micro": 2}, "package": " (Debian x)"});
    let machines = json!([{"name": "pc-q35-9.2"}, {"name": "pc-q35-10.0"}, {"name": "pc-i440fx-4.0.1", "deprecated": true}, {"name": "microvm"}]);
    let models = json!([{"name": "EPYC", "alias-of": "EPYC-v1"}, {"name": "EPYC-v1"}, {"name": "max"}, {"name": "486-v1", "deprecated": true}]);
    vec![json!([version, machines, models]).to_string().into_bytes()]
}

fn read_offers(bytes: &[u8]) -> bool {
    let Ok(Value::Array(answers)) = serde_json::from_slice(bytes) else {
        return false;
    };
    let answer = |index: usize| answers.get(index).unwrap_or(&Value::Null);
    let Ok(mut offers) = Offers::read(answer(0), answer(1)) else {
        return false;
    };
    let taken = offers.note_models(answer(2)).is_ok();
    let _ = (
        offers.release(),
        offers.release_name(),
        offers.newest_machine(),
    );
    let _ = (
        offers.versioned_machines().count(),
        offers.versioned_models().count(),
        offers.compared_models().count(),
    );
    let _ = (offers.versioned("q35"), offers.resolve("q35", "EPYC"));
    taken
}

/// As QEMU gives the words and properties that records hold.
fn answers() -> Vec<Vec<u8>> {
    let layers = records().into_iter().filter_map(|record| record.qemu);
    let registers = ["EAX", "EBX", "ECX", "EDX"];
    let answer = |layer: QemuLayer| {
        let words = layer.words.iter().map(|(word, bits)| {
            json!({"cpuid-register": registers[usize::from(word.register)], "cpuid-input-eax": word.key.leaf,
                "cpuid-input-ecx": word.key.subleaf, "features": bits})
        });
        let words: Vec<Value> = words.collect();
        let properties = json!(layer.full_properties.unwrap_or_default());
        json!([[{"qom-path": "/machine/unattached/device[0]", "qom-type": "EPYC-v4-x86_64-cpu"}], words, words, properties])
    };
    layers
        .map(|layer| answer(layer).to_string().into_bytes())
        .collect()
}

/// A QEMU that gives these answers, one after the other.
struct Answers(std::vec::IntoIter<Value>);

impl Speaks for Answers {
    fn execute(&mut self, _command: &Value) -> Result<QmpAnswer, Gone> {
        self.0.next().map(Ok).ok_or(Gone)
    }
}

fn read_cpu(bytes: &[u8]) -> bool {
    let Ok(Value::Array(answers)) = serde_json::from_slice(bytes) else {
        return false;
    };
    let last = answers.last().cloned().unwrap_or_default();
    let Ok(mut view) = RawView::ask(&mut Answers(answers.into_iter())) else {
        return false;
    };
    view.expansions = Some([Ok(last.clone()), Ok(last)]);
    let qemu = QemuLayer::read(&view, &lossy(STDERR));
    thread_local! {
        static GUEST: Dump = dumps().swap_remove(0);
    }
    GUEST.with(|guest| {
        agreement(Layers {
            definition: Some(guest),
            guest,
            below: Layer::Qemu,
            qemu: &qemu,
            table: &TABLE,
        })
    });
    qemu.unreadable.is_empty()
}

fn lines() -> Vec<u8> {
    b"{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 2, \"minor\": 0, \"major\": 10}}, \"capabilities\": [\"oob\"]}}\r\n\
      {\"return\": {}}\r\n{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"STOP\"}\r\n\
      {\"error\": {\"class\": \"GenericError\", \"desc\": \"Property not found\"}}\r\n{\"return\": [{\"name\": \"q35\"}]}\r\n"
        .to_vec()
}

fn read_lines(bytes: &[u8]) -> bool {
    let mut messages = Messages::default();
    for piece in bytes.chunks(97) {
        messages.take(piece);
        while let Ok(Some(message)) = messages.message() {
            messages.keep(message);
        }
    }
    messages.event().is_some()
}

fn read_stderr(bytes: &[u8]) -> bool {
    let text = lossy(bytes);
    let _ = (is_refusal_by_enforce(&text), without_tcg_warnings(&text));
    Warnings::read(&text).unknown.is_empty()
}

fn lab_answers() -> Vec<Vec<u8>> {
    let layers = records()
        .into_iter()
        .filter_map(|record| Some((record.host?, record.kvm)));
    let layers = layers.map(
        |(host, kvm)| json!({"Layers": {"host": host, "kvm": {"Ok": kvm.value()}, "failed": {}}}),
    );
    let mut texts: Vec<Vec<u8>> = layers
        .map(|layers| layers.to_string().into_bytes())
        .collect();
    texts.push(b"\"Up\"".to_vec());
    texts.push(
        json!({"Asked": {"Ok": [{"a": 1}]}})
            .to_string()
            .into_bytes(),
    );
    let boot = json!({"Boot": {"Ok": {"slots": [{"header": {"vcpu": 0, "used": 3, "state": 2, "op": 1, "operand": 7, "operand2": 0,
        "generation": 0}, "frames": "007fff"}], "command": ["qemu"], "view": null,
        "ending": {"Exited": 0}, "stderr": "", "elapsed": {"secs": 1, "nanos": 5}}}});
    texts.push(boot.to_string().into_bytes());
    texts
}

fn read_lab(bytes: &[u8]) -> bool {
    let mut head = [0; HEAD];
    head.copy_from_slice(bytes.get(..HEAD).unwrap_or(&[0; HEAD]));
    let _ = ANSWER.length(head).is_ok();
    let sum = fidelity_protocol::crc::crc32(&[bytes]);
    head[4..].copy_from_slice(&sum.to_le_bytes());
    ANSWER.unpack::<Answer>(head, bytes).is_ok()
}
