//! The checksum of Ethernet and zip.

use rulemill_guest::prelude::*;

/// The CRC-32 of `text`, without leading zeros.
#[function(immutable)]
#[example("123456789" => "cbf43926")]
#[example("" => "0")]
#[example("größe" => "5bd3a989")]
#[example(null => null)]
pub fn crc32(text: &str) -> String {
    let checksum = text.bytes().fold(u32::MAX, |checksum, byte| {
        let [lowest, ..] = checksum.to_le_bytes();
        TABLE[usize::from(lowest ^ byte)] ^ checksum >> 8
    });
    format!("{:x}", !checksum)
}

/// What each byte adds.
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0_u32;
    while byte < 256 {
        let mut checksum = byte;
        let mut bit = 0;
        while bit < 8 {
            checksum = if checksum & 1 == 1 {
                checksum >> 1 ^ POLYNOMIAL
            } else {
                checksum >> 1
            };
            bit += 1;
        }
        table[byte as usize] = checksum;
        byte += 1;
    }
    table
};

/// That of IEEE 802.3, its lowest power first.
const POLYNOMIAL: u32 = 0xedb8_8320;
