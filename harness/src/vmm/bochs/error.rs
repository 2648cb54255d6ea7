//! Why a guest of Bochs gave no whole dump.

use std::time::Duration;

use crate::cpuid::assemble::StreamError;
use crate::util::process::Ending;
use crate::vmm::start::StartError;

/// Why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BochsError {
    /// It did not start, or the kernel refused what it was to inherit.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The guest did not end.
    #[error("timed out: the agent on Bochs' {model} had not ended after {} s{}", .after.as_secs_f64(), because(.stream.as_ref(), .last, ""))]
    TimedOut {
        /// The model.
        model: String,
        /// What it was given.
        after: Duration,
        /// What its dump lacks.
        stream: Option<StreamError>,
        /// The last probe that gave an answer.
        last: Option<&'static str>,
    },
    /// Bochs ended before the guest did, as it does where it panics.
    #[error("Bochs {ending} with its {model}{}", because(.stream.as_ref(), .last, .messages))]
    Ended {
        /// The model.
        model: String,
        /// How.
        ending: Ending,
        /// What the dump lacks then.
        stream: Option<StreamError>,
        /// The last probe that gave an answer.
        last: Option<&'static str>,
        /// What it printed.
        messages: String,
    },
    /// The agent ended, and its dump is not whole.
    #[error("the agent on Bochs' {model} ended, but its dump is not whole{}", because(.stream.as_ref(), &None, ""))]
    Incomplete {
        /// The model.
        model: String,
        /// What it lacks.
        stream: Option<StreamError>,
    },
    /// It prints no list of models.
    #[error("{bochs} --help cpu names no CPU model: not a Bochs? It printed: {printed}")]
    NoModels {
        /// The program.
        bochs: String,
        /// The first line that it printed.
        printed: String,
    },
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled,
}

/// `; what the dump lacks; the last probe; what was printed`, of those that there are.
fn because(stream: Option<&StreamError>, last: &Option<&str>, messages: &str) -> String {
    let stream = stream.map(ToString::to_string);
    let last = last.map(|probe| format!("the last probe that gave an answer is {probe}"));
    let messages = Some(messages.to_owned()).filter(|text| !text.is_empty());
    let parts = stream.into_iter().chain(last).chain(messages);
    parts.map(|part| format!("; {part}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_what_the_dump_lacks_and_what_bochs_printed() {
        let ended = BochsError::Ended {
            model: "arrow_lake".to_owned(),
            ending: Ending::Exited(1),
            stream: Some(StreamError::Empty),
            last: Some("cr4-uintr"),
            messages: ">>PANIC<< 3rd exception".to_owned(),
        };
        assert_eq!(
            ended.to_string(),
            "Bochs exited with status 1 with its arrow_lake; the agent reported nothing; \
             the last probe that gave an answer is cr4-uintr; >>PANIC<< 3rd exception"
        );
        let late = BochsError::TimedOut {
            model: "i386".to_owned(),
            after: Duration::from_millis(500),
            stream: None,
            last: None,
        };
        assert_eq!(
            late.to_string(),
            "timed out: the agent on Bochs' i386 had not ended after 0.5 s"
        );
    }
}
