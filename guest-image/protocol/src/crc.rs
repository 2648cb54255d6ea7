//! CRC-32 as in IEEE 802.3 and zlib (reflected polynomial 0xEDB88320).

/// Reflected polynomial.
pub const POLYNOMIAL: u32 = 0xEDB8_8320;

/// `TABLES[n][byte]` is the remainder of `byte` followed by n zero bytes, so that four bytes take one step: there are guests
/// of which every instruction is emulated. A static, for the 32-bit agent reads it as data.
pub static TABLES: [[u32; 256]; 4] = tables();

const fn tables() -> [[u32; 256]; 4] {
    let mut tables = [[0; 256]; 4];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut zeros = 0;
        while zeros < 4 {
            let mut bit = 0;
            while bit < 8 {
                crc = (crc >> 1) ^ (POLYNOMIAL & (crc & 1).wrapping_neg());
                bit += 1;
            }
            tables[zeros][byte] = crc;
            zeros += 1;
        }
        byte += 1;
    }
    tables
}

/// CRC-32 of the concatenation of `parts`.
pub fn crc32(parts: &[&[u8]]) -> u32 {
    !parts.iter().fold(!0, |crc, part| update(crc, part))
}

fn update(mut crc: u32, bytes: &[u8]) -> u32 {
    let (words, rest) = bytes.as_chunks();
    for word in words {
        // An index that is written out is one of 256 without a check, and the step has no branch.
        let mixed = crc ^ u32::from_le_bytes(*word);
        crc = TABLES[3][usize::from(mixed as u8)]
            ^ TABLES[2][usize::from((mixed >> 8) as u8)]
            ^ TABLES[1][usize::from((mixed >> 16) as u8)]
            ^ TABLES[0][usize::from((mixed >> 24) as u8)];
    }
    for byte in rest {
        crc = (crc >> 8) ^ TABLES[0][usize::from(crc as u8 ^ byte)];
    }
    crc
}

#[cfg(test)]
mod tests {
    use super::crc32;

    #[test]
    fn matches_the_published_check_value() {
        assert_eq!(crc32(&[b"12345", b"6789"]), 0xCBF4_3926);
    }
}
