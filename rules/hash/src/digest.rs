//! Cryptographic hashes. MD5 and SHA-1 are broken: they tell texts apart, but protect nothing.

use crate::hex;
use ::md5::Md5;
use ::sha1::Sha1;
use rulemill_guest::prelude::*;
use sha2::{Digest, Sha256, Sha384, Sha512};

/// The MD5 of `text`.
#[function(immutable)]
#[example("" => "d41d8cd98f00b204e9800998ecf8427e")]
#[example("abc" => "900150983cd24fb0d6963f7d28e17f72")]
#[example(null => null)]
pub fn md5(text: &str) -> String {
    hash::<Md5>(text)
}

/// The SHA-1 of `text`.
#[function(immutable)]
#[example("" => "da39a3ee5e6b4b0d3255bfef95601890afd80709")]
#[example("abc" => "a9993e364706816aba3e25717850c26c9cd0d89d")]
#[example(null => null)]
pub fn sha1(text: &str) -> String {
    hash::<Sha1>(text)
}

/// The SHA-256 of `text`.
#[function(immutable)]
#[example("" => "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")]
#[example("abc" => "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")]
#[example(null => null)]
pub fn sha256(text: &str) -> String {
    hash::<Sha256>(text)
}

/// The SHA-384 of `text`.
#[function(immutable)]
#[example("abc" => "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7")]
#[example(null => null)]
pub fn sha384(text: &str) -> String {
    hash::<Sha384>(text)
}

/// The SHA-512 of `text`.
#[function(immutable)]
#[example("abc" => "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f")]
#[example(null => null)]
pub fn sha512(text: &str) -> String {
    hash::<Sha512>(text)
}

fn hash<D: Digest>(text: &str) -> String {
    hex::encode(&D::digest(text.as_bytes()))
}
