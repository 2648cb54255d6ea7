//! The table of probes as the agent's rows: guest-image/protocol/probes.tsv → a Rust source that the firmware includes.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// The feature table, for where a bit of CR4 is announced.
pub const FEATURES: &str = "expectations/features.tsv";
/// Where the table lies in the repository.
pub const TABLE: &str = "guest-image/protocol/probes.tsv";
/// Room for an instruction and a RET in a row.
const CODE: usize = 12;
const RET: u8 = 0xC3;
/// The components of XCR0 that are always there.
const X87_AND_SSE: u64 = 3;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Writes the rows to `out`.
pub fn write(root: &Path, out: &Path) -> Result<()> {
    let text = fs::read_to_string(root.join(TABLE))?;
    let features = fs::read_to_string(root.join(FEATURES))?;
    let mut rows = String::new();
    let mut count = 0;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let columns: Vec<&str> = line.split('\t').collect();
        rows +=
            &row(&columns, &features).map_err(|error| format!("{TABLE}, row {line:?}: {error}"))?;
        count += 1;
    }
    let head =
        "/// The rows. Their code is executed where it lies.\n#[used]\n#[unsafe(no_mangle)]\n";
    fs::write(
        out,
        format!("{head}pub static PROBES: [Probe; {count}] = [\n{rows}];\n"),
    )?;
    Ok(())
}

/// One row as a struct expression.
fn row(columns: &[&str], features: &str) -> Result<String> {
    let [_, feature, _, mode, kind, what, input, answer, ..] = columns else {
        return Err("twelve columns wanted".into());
    };
    let mut code = vec![RET];
    let mut registers = inputs(input)?;
    let mut state = "STATE_MSR";
    let kind = match *kind {
        "run" => {
            code = bytes(what)?;
            code.push(RET);
            "Run"
        }
        "cr4" => {
            let announced = place(feature, features)?;
            registers = [
                announced.leaf.to_string(),
                what.to_string(),
                announced.mask.to_string(),
            ];
            code = vec![announced.register];
            "Cr4"
        }
        "xcr0" => {
            let mask = number(what)?;
            registers = [low(mask), "0".into(), high(mask)];
            state = "STATE_XCR0";
            "Xcr0"
        }
        "msr" | "wrmsr" => {
            let (index, mask) = what.split_once(':').ok_or("INDEX:MASK wanted")?;
            let mask = number(mask)?;
            registers = [low(mask), number(index)?.to_string(), high(mask)];
            if *kind == "msr" { "Msr" } else { "Wrmsr" }
        }
        "off" | "on" => {
            let (place, instruction) = what.split_once(':').ok_or("STATE:BYTES wanted")?;
            let (index, mask);
            (state, index, mask) = place_of_state(place)?;
            registers = [low(mask), index.to_string(), high(mask)];
            code = bytes(instruction)?;
            code.push(RET);
            if *kind == "off" { "Off" } else { "On" }
        }
        "page" => page(what)?,
        "size" => "Size",
        _ => return Err("unknown kind".into()),
    };
    if code.len() > CODE {
        return Err(format!("more than {CODE} bytes").into());
    }
    code.resize(CODE, 0xCC);
    let modes = match *mode {
        "64" => "MODE_64",
        "32" => "MODE_32",
        "both" => "MODE_64 | MODE_32",
        // /init of Linux guests alone, which asks for no mode.
        "user" => "0",
        _ => return Err("unknown mode".into()),
    };
    let valued = answer.split(',').find_map(|answer| answer.split_once('='));
    let result = match valued.map(|(register, _)| register) {
        Some("eax") => "RESULT_EAX",
        Some("ecx") => "RESULT_ECX",
        Some("line") => "RESULT_LINE",
        _ => "RESULT_NONE",
    };
    let [eax, ecx, edx] = registers;
    let mut out = String::new();
    writeln!(
        out,
        "    Probe {{ code: {code:?}, eax: {eax}, ecx: {ecx}, edx: {edx}, kind: Kind::{kind}, result: {result}, modes: {modes}, state: {state} }},"
    )?;
    Ok(out)
}

/// Leaf, register and bit of the first feature that announces a row; nothing, which no leaf has, where every processor has it.
struct Announced {
    leaf: u32,
    register: u8,
    mask: u32,
}

fn place(feature: &str, features: &str) -> Result<Announced> {
    let name = feature.split('|').next().unwrap_or_default();
    if name == "-" {
        return Ok(Announced {
            leaf: 0,
            register: 0,
            mask: 0,
        });
    }
    let rows = features
        .lines()
        .map(|line| line.split('\t').collect::<Vec<_>>());
    let mut rows = rows.filter(|row| row.first() == Some(&"cpuid") && row.get(5) == Some(&name));
    let row = rows
        .next()
        .ok_or_else(|| format!("no feature {name} in {FEATURES}"))?;
    let register = ["eax", "ebx", "ecx", "edx"]
        .iter()
        .position(|known| *known == row[3]);
    if !matches!(row[2], "-" | "00" | "01") {
        return Err(format!("{name} is in no fixed subleaf").into());
    }
    Ok(Announced {
        leaf: u32::try_from(number(row[1])?)?,
        register: u8::try_from(register.ok_or("no register")?)? | u8::from(row[2] == "01") << 7,
        mask: 1 << row[4].parse::<u32>()?,
    })
}

/// Where a state is, its MSR, and its bits.
fn place_of_state(text: &str) -> Result<(&'static str, u32, u64)> {
    let (name, bit) = text.split_once('.').unwrap_or((text, "0"));
    let mask = 1 << bit.parse::<u32>()?;
    Ok(match name {
        "cr4" => ("STATE_CR4", 0, mask),
        "efer" => ("STATE_MSR", 0xC000_0080, mask),
        "xcr0" => ("STATE_XCR0", 0, !X87_AND_SSE),
        _ => return Err("unknown state".into()),
    })
}

fn page(what: &str) -> Result<&'static str> {
    Ok(match what {
        "nx" => "PageNx",
        "smep" => "PageSmep",
        "smap" => "PageSmap",
        "pku" => "PagePku",
        "pks" => "PagePks",
        "smep-off" => "PageSmepOff",
        "smap-off" => "PageSmapOff",
        "pku-off" => "PagePkuOff",
        _ => return Err("unknown page".into()),
    })
}

/// EAX, ECX and EDX, as Rust expressions.
fn inputs(text: &str) -> Result<[String; 3]> {
    let mut registers = ["0", "0", "0"].map(str::to_owned);
    for input in text.split(',').filter(|input| *input != "-") {
        let (name, value) = input.split_once('=').ok_or("REGISTER=VALUE wanted")?;
        let at = ["eax", "ecx", "edx"]
            .iter()
            .position(|known| *known == name);
        let register = at
            .and_then(|at| registers.get_mut(at))
            .ok_or("unknown register")?;
        *register = match value {
            "line" => "LINE as u32".to_owned(),
            value => number(value)?.to_string(),
        };
    }
    Ok(registers)
}

fn bytes(digits: &str) -> Result<Vec<u8>> {
    let pair = |at| u8::from_str_radix(digits.get(at..at + 2).unwrap_or("-"), 16);
    Ok((0..digits.len())
        .step_by(2)
        .map(pair)
        .collect::<std::result::Result<_, _>>()?)
}

fn number(text: &str) -> Result<u64> {
    let digits = text.strip_prefix("0x").ok_or("0x… wanted")?;
    Ok(u64::from_str_radix(digits, 16)?)
}

fn low(mask: u64) -> String {
    (mask as u32).to_string()
}

fn high(mask: u64) -> String {
    (mask >> 32).to_string()
}
