//! QMP as bytes: taken apart into messages, a line each, and events kept for who waits for one. No process is known here, and no waiting.

use std::collections::VecDeque;

use serde_json::Value;

use crate::util::limits::{QMP_EVENT_BYTES, QMP_EVENTS, QMP_MESSAGE};

/// Why bytes are no QMP.
#[derive(Debug, thiserror::Error)]
pub enum NoMessage {
    /// A line that does not end.
    #[error("a message of more than {QMP_MESSAGE} bytes")]
    TooLong,
    /// A line that is no JSON.
    #[error("a message that is no JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// What was received and not yet used.
#[derive(Debug, Default)]
pub struct Messages {
    buffer: Vec<u8>,
    /// How much of `buffer` has no end of a line in it.
    searched: usize,
    /// With their sizes in bytes.
    events: VecDeque<(usize, Value)>,
}

impl Messages {
    /// The next bytes.
    pub fn take(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next message, with its size in bytes; `None` where there is no whole one yet.
    ///
    /// # Errors
    /// What comes next is no message.
    pub fn message(&mut self) -> Result<Option<(usize, Value)>, NoMessage> {
        let new = self.buffer[self.searched..].iter();
        let end = new.take(QMP_MESSAGE).position(|byte| *byte == b'\n');
        let Some(end) = end.map(|end| self.searched + end) else {
            self.searched = self.buffer.len();
            return if self.searched > QMP_MESSAGE {
                Err(NoMessage::TooLong)
            } else {
                Ok(None)
            };
        };
        self.searched = 0;
        let message = serde_json::from_slice(&self.buffer[..end]);
        self.buffer.drain(..=end);
        Ok(Some((end, message?)))
    }

    /// Keeps a message of `size` bytes if it is an event, and returns whether it is. A QEMU that sends more than is kept loses the oldest.
    pub fn keep(&mut self, (size, message): (usize, Value)) -> bool {
        if message.get("event").is_none() {
            return false;
        }
        self.events.push_back((size, message));
        let bytes =
            |events: &VecDeque<(usize, Value)>| events.iter().map(|(size, _)| size).sum::<usize>();
        while self.events.len() > QMP_EVENTS || bytes(&self.events) > QMP_EVENT_BYTES {
            self.events.pop_front();
        }
        true
    }

    /// The oldest event.
    pub fn event(&mut self) -> Option<Value> {
        self.events.pop_front().map(|(_, event)| event)
    }

    /// Drops the events received so far.
    pub fn forget_events(&mut self) {
        self.events.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str) -> Vec<u8> {
        format!("{{\"event\": \"{text}\"}}\r\n").into_bytes()
    }

    #[test]
    fn messages_are_whole_however_they_come() {
        let mut messages = Messages::default();
        for byte in event("STOP") {
            assert!(messages.message().expect("no error").is_none());
            messages.take(&[byte]);
        }
        let (_, message) = messages.message().expect("JSON").expect("a message");
        assert_eq!(message["event"], "STOP");
        assert!(messages.message().expect("no error").is_none());
    }

    #[test]
    fn a_message_without_end_is_an_error() {
        let mut messages = Messages::default();
        messages.take(&vec![b' '; QMP_MESSAGE]);
        assert!(messages.message().expect("no error").is_none());
        messages.take(b"  ");
        assert!(matches!(messages.message(), Err(NoMessage::TooLong)));
    }

    #[test]
    fn all_events_together_take_no_more_than_one_message_may() {
        let mut messages = Messages::default();
        for size in [QMP_EVENT_BYTES / 3; 40] {
            messages.take(&event(&"x".repeat(size)));
            let message = messages.message().expect("JSON").expect("a message");
            messages.keep(message);
        }
        assert_eq!(std::iter::from_fn(|| messages.event()).count(), 2);
    }

    #[test]
    fn the_oldest_of_too_many_events_are_lost() {
        let mut messages = Messages::default();
        for number in 0..QMP_EVENTS + 7 {
            messages.take(&event(&number.to_string()));
            let message = messages.message().expect("JSON").expect("a message");
            messages.keep(message);
        }
        assert_eq!(messages.event().expect("an event")["event"], "7");
    }
}
