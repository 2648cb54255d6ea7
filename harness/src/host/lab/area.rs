//! A message in the memory that the host and /init share.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A part of the shared memory: 4 bytes of length, 4 bytes of checksum (CRC-32), then the message.
#[derive(Clone, Copy, Debug)]
pub struct Area {
    /// Offset.
    pub at: usize,
    /// Bytes.
    pub size: usize,
}

/// Bytes in front of a message.
pub const HEAD: usize = 8;

impl Area {
    /// The bytes to write at [`Area::at`].
    ///
    /// # Errors
    /// The message is longer than the area.
    pub fn pack(self, message: &impl Serialize) -> Result<Vec<u8>, WireError> {
        let text =
            serde_json::to_vec(message).map_err(|error| WireError::NoMessage(error.to_string()))?;
        if text.len() + HEAD > self.size {
            return Err(WireError::TooLong {
                length: text.len(),
                size: self.size,
            });
        }
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        let check = fidelity_protocol::crc::crc32(&[&text]);
        let mut bytes = [length, check].map(u32::to_le_bytes).concat();
        bytes.extend(text);
        Ok(bytes)
    }

    /// The length in bytes that the head announces.
    ///
    /// # Errors
    /// It is more than there is room for.
    pub fn length(self, head: [u8; HEAD]) -> Result<usize, WireError> {
        let [a, b, c, d, ..] = head;
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        if length + HEAD > self.size {
            return Err(WireError::Length(length));
        }
        Ok(length)
    }

    /// The message.
    ///
    /// # Errors
    /// The checksum does not fit, or it is no such message.
    pub fn unpack<T: DeserializeOwned>(
        self,
        head: [u8; HEAD],
        text: &[u8],
    ) -> Result<T, WireError> {
        let [.., a, b, c, d] = head;
        if u32::from_le_bytes([a, b, c, d]) != fidelity_protocol::crc::crc32(&[text]) {
            return Err(WireError::Checksum);
        }
        serde_json::from_slice(text).map_err(|error| WireError::NoMessage(error.to_string()))
    }
}

/// What is wrong with a message in the shared memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum WireError {
    /// It has more bytes than there is room for.
    #[error("a message of {length} bytes does not fit into {size}")]
    TooLong {
        /// Bytes of the message.
        length: usize,
        /// Bytes of the area.
        size: usize,
    },
    /// The head of the message cannot be read.
    #[error("the shared memory is gone")]
    NoHead,
    /// The head announces more bytes than the area has.
    #[error("garbled: a message of {0} bytes")]
    Length(usize),
    /// The checksum is another.
    #[error("garbled: the message's checksum does not fit")]
    Checksum,
    /// The text is no such message; the reason is serde_json's.
    #[error("garbled: {0}")]
    NoMessage(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_is_too_long_is_an_error() {
        let small = Area { at: 0, size: 16 };
        assert!(small.pack(&"123456").is_ok());
        assert!(small.pack(&"1234567").is_err());
    }
}
