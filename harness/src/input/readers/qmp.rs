//! QMP's answers about CPUs (qapi/machine-target.json of QEMU): `query-cpu-model-expansion` of type `full` or `static`,
//! `query-cpu-definitions`, and `feature-words` of a vCPU; one or several behind one another, as they are or in what they are returned in,
//! as in the `*.json` files of libvirt's tests. What else a log of QMP has is passed over.

use serde_json::{Deserializer, Value};

use crate::cpuid::Table;
use crate::input::cpu::Input;
use crate::input::error::InputError;
use crate::input::format::Format;
use crate::input::malformed;
use crate::input::names::{Names, Spelling};
use crate::input::qmp_answers::answers;
use crate::input::reader::Reader;
use crate::input::text::Text;

pub const READER: Reader = Reader {
    format: Format::Qmp,
    knows,
    read,
};

/// Keys of which an answer, or what is returned, has one.
const KEYS: [&str; 7] = [
    "return",
    "error",
    "QMP",
    "execute",
    "props",
    "unavailable-features",
    "cpuid-register",
];

fn knows(text: &Text) -> bool {
    let has = |key: &str| text.shape.has_key(key);
    KEYS.into_iter().any(has) || has("model") && !has("leaves") || has("name") && has("typename")
}

fn read(text: &Text, table: &Table) -> Result<Vec<Input>, InputError> {
    let whole = text.whole();
    let names = Names::new(table, Spelling::Qemu);
    let mut inputs = Vec::new();
    let mut refused = None;
    let mut stream = Deserializer::from_str(&whole).into_iter::<Value>();
    let mut start = stream.byte_offset();
    while let Some(value) = stream.next() {
        let value = value.map_err(|error| malformed::json(Format::Qmp, &error))?;
        let own = answers(Format::Qmp, &value, &names).map_err(|problem| {
            let white = whole[start..].len() - whole[start..].trim_start().len();
            let place = malformed::place(&whole, start + white);
            malformed::form(Format::Qmp, place, problem)
        })?;
        inputs.extend(own);
        refused = refused.or_else(|| value["error"]["desc"].as_str().map(str::to_owned));
        start = stream.byte_offset();
    }
    if inputs.is_empty() {
        let found = match refused {
            Some(problem) => format!("an error: {problem}"),
            None => "other answers".to_owned(),
        };
        let expected = "query-cpu-model-expansion, query-cpu-definitions or feature-words";
        let problem = format!("expected an answer to {expected}, found {found}");
        return Err(malformed::form(Format::Qmp, (1, 1), problem));
    }
    Ok(inputs)
}
