//! What `show` says of a processor, in libcpuid's words.

use std::collections::{BTreeMap, BTreeSet};

use cpuid_fidelity::cpuid::Table;
use cpuid_fidelity::cpuid::levels::Levels;
use cpuid_fidelity::describe::{describe, json};
use cpuid_fidelity::input::Input;
use serde_json::Value;

/// libcpuid's name of a flag, and ours where it is another one.
const NAMES: [(&str, &str); 16] = [
    ("100mhzsteps", "mul-100mhz"),
    ("aperfmperf", "eff-freq-ro"),
    ("constant_tsc", "invtsc"),
    ("dts64", "dtes64"),
    ("fid", "powernow-fid"),
    ("fma3", "fma"),
    ("hwpstate", "hw-pstate"),
    ("pa", "acc-power"),
    ("pclmul", "pclmulqdq"),
    ("pfi", "proc-feedback"),
    ("stc", "sw-thermal-control"),
    ("tm_amd", "hw-thermal-control"),
    ("ts", "amd-temp-sensor"),
    ("ttp", "thermtrip"),
    ("vid", "powernow-vid"),
    ("xd", "nx"),
];

/// What is shown of one processor.
#[derive(Clone)]
pub struct Shown {
    fields: BTreeMap<String, String>,
    present: BTreeSet<String>,
    absent: BTreeSet<String>,
}

impl Shown {
    /// A field; `-1` is libcpuid's unknown.
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("-1", String::as_str)
    }

    /// `set`, `clear` or `unknown`.
    pub fn flag(&self, name: &str) -> &'static str {
        let other = NAMES.iter().find(|(theirs, _)| *theirs == name);
        let name = plain(other.map_or(name, |(_, ours)| ours));
        match (self.present.contains(&name), self.absent.contains(&name)) {
            (true, _) => "set",
            (false, true) => "clear",
            (false, false) => "unknown",
        }
    }
}

fn plain(name: &str) -> String {
    name.replace(['_', '.'], "-").to_lowercase()
}

/// What `show --format json` has.
pub fn shown(input: &Input, table: &Table, levels: &Levels) -> Shown {
    let description = describe("", input, table, levels);
    let value: Value = serde_json::from_str(&json(&[description]).expect("JSON")).expect("JSON");
    let mut fields = identity(&value);
    fields.extend(caches(&value));
    fields.extend(counts(&value["topology"]["announced"]));
    let groups = value["features"].as_array().into_iter().flatten();
    let names = |list: &Value| -> Vec<String> {
        let list = list.as_array().into_iter().flatten();
        list.flat_map(|entry| match entry {
            Value::String(name) => vec![plain(name)],
            of_feature => ["linux", "libvirt"]
                .iter()
                .flat_map(|who| of_feature[*who].as_array().into_iter().flatten())
                .chain([&of_feature["name"]])
                .filter_map(Value::as_str)
                .map(plain)
                .collect(),
        })
        .collect()
    };
    let (mut present, mut absent) = (BTreeSet::new(), BTreeSet::new());
    for group in groups {
        present.extend(names(&group["present"]));
        absent.extend(names(&group["absent"]));
    }
    Shown {
        fields,
        present,
        absent,
    }
}

fn identity(value: &Value) -> BTreeMap<String, String> {
    let of = &value["identity"];
    let signature = of["signature"].as_u64();
    let bits = |low: u32| signature.map(|signature| signature >> low & 0xf);
    // libcpuid has levels of 32-bit processors too.
    let level = value["psabi"]["level"].as_str().unwrap_or("i686");
    let fields = [
        ("family", bits(8)),
        ("model", bits(4)),
        ("stepping", of["stepping"].as_u64()),
        ("extfamily", of["family"].as_u64()),
        ("extmodel", of["model"].as_u64()),
    ];
    let fields = fields.into_iter();
    let mut fields: BTreeMap<String, String> = fields
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_string())))
        .collect();
    fields.insert("feature-level".to_owned(), level.to_owned());
    fields
}

/// Cores and threads of a package, as leaves announce them.
fn counts(announced: &Value) -> BTreeMap<String, String> {
    let threads = |unit: &str| {
        let mut units = announced.as_array().into_iter().flatten();
        units.find(|own| own["unit"] == unit)?["threads"].as_u64()
    };
    let Some(logical) = threads("package") else {
        return BTreeMap::new();
    };
    let cores = logical / threads("core").unwrap_or(1).max(1);
    let counts = [("cores", cores), ("logical", logical)];
    let counts = counts.map(|(name, count)| (name.to_owned(), count.to_string()));
    counts.into()
}

fn caches(value: &Value) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    for cache in value["caches"].as_array().into_iter().flatten() {
        let name = cache["name"].as_str().unwrap_or_default().to_lowercase();
        let mut set = |field: &str, value: Option<u64>| {
            let value = value.map(|value| (format!("{name}-{field}"), value.to_string()));
            fields.extend(value);
        };
        set("cache", cache["bytes"].as_u64().map(|bytes| bytes >> 10));
        set("assoc", cache["ways"].as_u64());
        set("cacheline", cache["line"].as_u64());
    }
    fields
}
