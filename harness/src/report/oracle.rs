//! What probes gave on processors of Bochs, as text and as JSON lines.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::check::behaviour::explained::{Compared, Explained};
use crate::cpuid::probes::PROBES;

/// What is shown of a model: its name, the agent's mode (32 or 64) with what the probes gave, or why there is nothing.
pub type Shown<'a> = (&'a str, Result<(u32, &'a Compared), String>);

/// A paragraph a model, what explanations are about none of them, and what all show together.
pub fn text(models: &[Shown<'_>], unused: &[String]) -> String {
    let paragraphs = models.iter().map(|(model, seen)| match seen {
        Ok((_, compared)) if compared.is_empty() => format!("{model}\n  ERROR nothing was tried\n"),
        Ok((mode, compared)) => paragraph(model, *mode, compared),
        Err(error) => format!("{model}\n  ERROR {error}\n"),
    });
    let unused = unused.iter();
    let unused =
        unused.map(|row| format!("FAIL {row}: bochs.tsv has that, and it is so nowhere\n"));
    paragraphs.chain(unused).collect::<String>() + &summary(models)
}

fn paragraph(model: &str, mode: u32, compared: &Compared) -> String {
    let Compared {
        works,
        refused,
        otherwise,
    } = compared;
    let head = format!(
        "{model}: {mode} bits, {} probes work, {} are refused, {} otherwise\n",
        works.len(),
        refused.len(),
        otherwise.len()
    );
    head + &otherwise.iter().map(line).collect::<String>()
}

fn line(found: &Explained) -> String {
    let Explained {
        probe,
        feature,
        answer,
        due,
        ..
    } = found;
    let when = found.when.name();
    match (&found.cause, found.expected) {
        (Some(cause), true) => {
            format!("  expected  {probe}: {feature} is {when}, gives {answer}: {cause}\n")
        }
        (Some(cause), false) => format!(
            "  FAIL      {probe}: {feature} is {when}, gives {answer} where bochs.tsv has {due}: {cause}\n"
        ),
        (None, _) => {
            format!("  FAIL      {probe}: {feature} is {when}, gives {answer} where {due} is due\n")
        }
    }
}

/// How much of the table is known to be true, and what is not as it should be.
fn summary(models: &[Shown<'_>]) -> String {
    let seen = || models.iter().filter_map(|(_, seen)| seen.as_ref().ok());
    let compared = || seen().map(|(_, compared)| *compared);
    let otherwise = || compared().flat_map(|compared| &compared.otherwise);
    let expected = otherwise().filter(|found| found.expected).count();
    let works: BTreeSet<&str> = compared()
        .flat_map(|compared| &compared.works)
        .copied()
        .collect();
    let refused: BTreeSet<&str> = compared()
        .flat_map(|compared| &compared.refused)
        .copied()
        .collect();
    let all = agents().count();
    format!(
        "\n{} processors of Bochs, {} without an answer: {} answers are not as due, {expected} as bochs.tsv explains\n\
         of {all} probes {} work where they are announced, {} are refused where they are hidden\n\
         nowhere announced and at work: {}\n",
        models.len(),
        models.len() - seen().count(),
        otherwise().count() - expected,
        works.len(),
        refused.len(),
        never(&works),
    )
}

/// The rows that the agent tries; user space of Linux guests has more.
fn agents() -> impl Iterator<Item = &'static str> {
    let rows = PROBES.iter().filter(|probe| probe.mode != "user");
    rows.map(|probe| probe.name)
}

fn never(works: &BTreeSet<&str>) -> String {
    let names = agents();
    let missing: Vec<&str> = names.filter(|name| !works.contains(name)).collect();
    match &*missing {
        [] => "none".to_owned(),
        names => names.join(", "),
    }
}

/// A JSON object a model.
pub fn json_lines(models: &[Shown<'_>]) -> Vec<String> {
    models
        .iter()
        .map(object)
        .map(|object| object.to_string())
        .collect()
}

fn object((model, seen): &Shown<'_>) -> Value {
    match seen {
        Ok((mode, compared)) => json!({
            "model": model,
            "mode": mode,
            "works": compared.works,
            "refused": compared.refused,
            "otherwise": compared.otherwise,
        }),
        Err(error) => json!({ "model": model, "error": error }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::behaviour::{Verdict, When};

    fn otherwise(expected: bool, cause: Option<&str>) -> Compared {
        let found = Explained {
            probe: "popcnt",
            feature: "popcnt",
            when: When::Announced,
            verdict: Verdict::Lie,
            answer: "#UD".to_owned(),
            due: if expected { "#UD" } else { "eax=0x3" }.to_owned(),
            expected,
            cause: cause.map(str::to_owned),
        };
        Compared {
            works: vec!["rdtsc", "ud2"],
            refused: vec!["rdseed"],
            otherwise: vec![found],
        }
    }

    #[test]
    fn a_paragraph_a_processor_then_the_sum() {
        let (known, unknown) = (otherwise(true, Some("SSE4.2")), otherwise(false, None));
        let (stale, empty) = (otherwise(false, Some("SSE4.2")), Compared::default());
        let shown: [Shown<'_>; 5] = [
            ("phenom", Ok((64, &known))),
            ("ryzen", Ok((64, &unknown))),
            ("k6", Ok((32, &stale))),
            ("i386", Ok((32, &empty))),
            ("i586", Err("Bochs exited".to_owned())),
        ];
        let text = text(&shown, &["lahf hidden runs".to_owned()]);
        let (paragraphs, sum) = text.split_once("nowhere announced").expect("a sum");
        assert!(sum.starts_with(" and at work: ud1, fninit, "), "{sum}");
        let all = agents().count();
        assert_eq!(
            paragraphs,
            format!(
                "\
phenom: 64 bits, 2 probes work, 1 are refused, 1 otherwise
  expected  popcnt: popcnt is announced, gives #UD: SSE4.2
ryzen: 64 bits, 2 probes work, 1 are refused, 1 otherwise
  FAIL      popcnt: popcnt is announced, gives #UD where eax=0x3 is due
k6: 32 bits, 2 probes work, 1 are refused, 1 otherwise
  FAIL      popcnt: popcnt is announced, gives #UD where bochs.tsv has eax=0x3: SSE4.2
i386
  ERROR nothing was tried
i586
  ERROR Bochs exited
FAIL lahf hidden runs: bochs.tsv has that, and it is so nowhere

5 processors of Bochs, 1 without an answer: 2 answers are not as due, 1 as bochs.tsv explains
of {all} probes 2 work where they are announced, 1 are refused where they are hidden
"
            )
        );
        let lines = json_lines(&shown);
        assert_eq!(lines[4], r#"{"error":"Bochs exited","model":"i586"}"#);
        assert!(lines[0].contains(r#""verdict":"lie""#), "{}", lines[0]);
    }
}
